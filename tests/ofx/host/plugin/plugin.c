// SPDX-License-Identifier: Apache-2.0
// The binary's entry points, and what the test effects share.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "minimal_ofx.h"

Host *host;
const PropertySuite *props;
const EffectSuite *effects;
const ParameterSuite *params;
const MemorySuite *memory;
const ThreadSuite *threads;
const MessageSuite *messages;
const ProgressSuite *progress;
const TimeLineSuite *timeline;

void set_host(Host *given) { host = given; }

static OfxStatus load(void) {
  props = host->fetchSuite(host->host, "OfxPropertySuite", 1);
  effects = host->fetchSuite(host->host, "OfxImageEffectSuite", 1);
  params = host->fetchSuite(host->host, "OfxParameterSuite", 1);
  memory = host->fetchSuite(host->host, "OfxMemorySuite", 1);
  threads = host->fetchSuite(host->host, "OfxMultiThreadSuite", 1);
  messages = host->fetchSuite(host->host, "OfxMessageSuite", 2);
  progress = host->fetchSuite(host->host, "OfxProgressSuite", 2);
  timeline = host->fetchSuite(host->host, "OfxTimeLineSuite", 1);
  if (host->fetchSuite(host->host, "OfxImageEffectOpenGLRenderSuite", 1) || host->fetchSuite(host->host, "OfxPropertySuite", 9))
    return FAILED;
  return props && effects && params && memory && threads ? OK : MISSING;
}

typedef struct { Plugin plugin; Entry entry; } Listed;
#define ENTRY(NAME) \
  static OfxStatus NAME##_entry(const char *action, const void *handle, Props in, Props out) { \
    if (!strcmp(action, "OfxActionLoad")) return load(); \
    return NAME##_main(action, handle, in, out); \
  }
ENTRY(gain) ENTRY(mean) ENTRY(scale) ENTRY(retimer) ENTRY(abort) ENTRY(message) ENTRY(kinds) ENTRY(abuse) ENTRY(threads)
ENTRY(color) ENTRY(picky)
#define LISTED(NAME, MINOR) {"OfxImageEffectPluginAPI", 1, "org.understudy.test." #NAME, 1, MINOR, set_host, NAME##_entry}
static Plugin plugins[] = {LISTED(gain, 2), LISTED(mean, 0), LISTED(scale, 0), LISTED(retimer, 0), LISTED(abort, 0), LISTED(message, 0),
                           LISTED(kinds, 0), LISTED(abuse, 0), LISTED(threads, 0), LISTED(color, 0), LISTED(picky, 0),
                           {"OfxSomethingElseAPI", 1, "org.understudy.test.other", 1, 0, set_host, gain_entry}};

__attribute__((visibility("default"))) int OfxGetNumberOfPlugins(void) { return (int)(sizeof plugins / sizeof *plugins); }
__attribute__((visibility("default"))) Plugin *OfxGetPlugin(int nth) { return &plugins[nth]; }
__attribute__((visibility("default"))) OfxStatus OfxSetHost(const Host *given) {
  host = (Host *)given;
  return OK;
}

OfxStatus describe(Effect effect, const char *label, const char *const *contexts, int temporal, const char *safety) {
  static const char *const depths[] = {"OfxBitDepthByte", "OfxBitDepthShort", "OfxBitDepthHalf", "OfxBitDepthFloat"};
  Props own;
  int count = 0;
  effects->getPropertySet(effect, &own);
  while (contexts[count]) count++;
  OfxStatus bad = props->setString(own, "OfxPropLabel", 0, label);
  bad |= props->setString(own, "OfxImageEffectPluginPropGrouping", 0, "Tests");
  bad |= props->setStringN(own, "OfxImageEffectPropSupportedContexts", count, contexts);
  bad |= props->setStringN(own, "OfxImageEffectPropSupportedPixelDepths", 4, depths);
  bad |= props->setInt(own, "OfxImageEffectPropTemporalClipAccess", 0, temporal);
  bad |= props->setInt(own, "OfxImageEffectPropSupportsTiles", 0, 0);
  bad |= props->setString(own, "OfxImageEffectPluginRenderThreadSafety", 0, safety);
  return bad ? FAILED : OK;
}

void define_clip(Effect effect, const char *name, int temporal, int optional) {
  static const char *const components[] = {"OfxImageComponentRGBA", "OfxImageComponentRGB", "OfxImageComponentAlpha"};
  Props own;
  effects->clipDefine(effect, name, &own);
  for (int i = 0; i < 3; i++) props->setString(own, "OfxImageEffectPropSupportedComponents", i, components[i]);
  props->setInt(own, "OfxImageEffectPropTemporalClipAccess", 0, temporal);
  props->setInt(own, "OfxImageClipPropOptional", 0, optional);
}

Props define_param(Effect effect, const char *kind, const char *name) {
  ParamSet set;
  Props own = 0;
  char full[64];
  snprintf(full, sizeof full, "OfxParamType%s", kind);
  effects->getParamSet(effect, &set);
  params->define(set, full, name, &own);
  return own;
}

double number(Effect effect, const char *name, double time) {
  ParamSet set;
  Param param;
  double value = -1e30;
  effects->getParamSet(effect, &set);
  if (params->getHandle(set, name, &param, 0) == OK) params->getValueAtTime(param, time, &value);
  return value;
}

OfxStatus open_image(Effect effect, const char *clip, double time, Image *image) {
  Clip handle;
  int bounds[4];
  char *text;
  void *data;
  OfxStatus status = effects->clipGetHandle(effect, clip, &handle, 0);
  if (status == OK) status = effects->clipGetImage(handle, time, 0, &image->handle);
  if (status != OK) return status;
  props->getPointer(image->handle, "OfxImagePropData", 0, &data);
  props->getIntN(image->handle, "OfxImagePropBounds", 4, bounds);
  props->getInt(image->handle, "OfxImagePropRowBytes", 0, &image->rowBytes);
  props->getString(image->handle, "OfxImageEffectPropComponents", 0, &text);
  image->channels = !strcmp(text, "OfxImageComponentRGBA") ? 4 : !strcmp(text, "OfxImageComponentRGB") ? 3 : 1;
  props->getString(image->handle, "OfxImageEffectPropPixelDepth", 0, &text);
  image->depth = (char)(text[strlen("OfxBitDepth")] | 32);
  image->data = data;
  image->x1 = bounds[0], image->y1 = bounds[1], image->x2 = bounds[2], image->y2 = bounds[3];
  return OK;
}

void close_image(Image *image) { effects->clipReleaseImage(image->handle); }

static int sample_bytes(const Image *image) { return image->depth == 'b' ? 1 : image->depth == 'f' ? 4 : 2; }

char *pixel(const Image *image, int x, int y) {
  return image->data + (ptrdiff_t)(y - image->y1) * image->rowBytes + (ptrdiff_t)(x - image->x1) * image->channels * sample_bytes(image);
}

double sample(const Image *image, int x, int y, int channel) {
  if (x < image->x1 || y < image->y1 || x >= image->x2 || y >= image->y2) return 0;
  const char *at = pixel(image, x, y) + channel * sample_bytes(image);
  switch (image->depth) {
    case 'b': return *(const unsigned char *)at;
    case 's': return *(const unsigned short *)at;
    case 'h': return (double)*(const _Float16 *)at;
    default: return *(const float *)at;
  }
}

void store(const Image *image, int x, int y, int channel, double value) {
  char *at = pixel(image, x, y) + channel * sample_bytes(image);
  double top = image->depth == 'b' ? 255 : 65535;
  double whole = value < 0 ? 0 : value > top ? top : (double)(long)(value + 0.5);
  switch (image->depth) {
    case 'b': *(unsigned char *)at = (unsigned char)whole; break;
    case 's': *(unsigned short *)at = (unsigned short)whole; break;
    case 'h': *(_Float16 *)at = (_Float16)value; break;
    default: *(float *)at = (float)value;
  }
}

void report(Effect effect, const char *format, ...) {
  char text[8000];
  va_list rest;
  va_start(rest, format);
  vsnprintf(text, sizeof text, format, rest);
  va_end(rest);
  messages->message(effect, "OfxMessageLog", "report", "%s", text);
}
