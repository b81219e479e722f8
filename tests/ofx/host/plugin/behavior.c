// SPDX-License-Identifier: Apache-2.0
// Effects that behave: stop when told, send messages, use all kinds of parameters, break rules, read color spaces, refuse hosts.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "minimal_ofx.h"

static const char *const GENERAL[] = {"OfxImageEffectContextGeneral", 0};
static const char *const SAFE = "OfxImageEffectRenderInstanceSafe";

static int is(const char *action, const char *name) { return !strcmp(action, name); }

static Param param_of(Effect effect, const char *name) {
  ParamSet set;
  Param param = 0;
  effects->getParamSet(effect, &set);
  params->getHandle(set, name, &param, 0);
  return param;
}

static OfxStatus plain_clips(Effect effect) {
  define_clip(effect, "Source", 0, 0);
  define_clip(effect, "Output", 0, 0);
  return OK;
}

// Waits for up to 20 seconds until it is told to stop.
OfxStatus abort_main(const char *action, const void *handle, Props in, Props out) {
  (void)in, (void)out;
  Effect effect = (Effect)handle;
  if (is(action, "OfxActionDescribe")) return describe(effect, "Abort", GENERAL, 0, SAFE);
  if (is(action, "OfxImageEffectActionDescribeInContext")) return plain_clips(effect);
  if (is(action, "OfxImageEffectActionRender")) {
    for (int i = 0; i < 4000; i++) {
      if (effects->abort(effect)) return FAILED;
      usleep(5000);
    }
    return OK;
  }
  return DEFAULT;
}

// Says things of every kind, then fails or not as its parameter wants.
OfxStatus message_main(const char *action, const void *handle, Props in, Props out) {
  (void)in, (void)out;
  Effect effect = (Effect)handle;
  if (is(action, "OfxActionDescribe")) return describe(effect, "Message", GENERAL, 0, SAFE);
  if (is(action, "OfxImageEffectActionDescribeInContext")) {
    define_param(effect, "Boolean", "fail");
    define_param(effect, "PushButton", "ask");
    define_param(effect, "PushButton", "work");
    return plain_clips(effect);
  }
  if (is(action, "OfxActionInstanceChanged")) {
    char *name;
    props->getString(in, "OfxPropName", 0, &name);
    if (!strcmp(name, "ask")) {
      OfxStatus answer = messages->message(effect, "OfxMessageQuestion", "sure", "Sure about %d?", 7);
      report(effect, "answer=%d", answer);
    }
    if (!strcmp(name, "work")) {
      OfxStatus early = progress->update(effect, 0.0), start = progress->start(effect, "Working", "w"), last = OK;
      int steps = 0;
      for (; steps < 10 && last == OK; steps++) last = progress->update(effect, steps / 10.0);
      OfxStatus end = progress->end(effect);
      double now = 0, first = 0, final = 0;
      timeline->getTime(effect, &now);
      timeline->bounds(effect, &first, &final);
      Image image;
      OfxStatus got = open_image(effect, "Source", now, &image);
      double level = got == OK ? sample(&image, 0, 0, 0) : 0;
      if (got == OK) close_image(&image);
      timeline->gotoTime(effect, 42);
      report(effect, "early=%d start=%d steps=%d last=%d end=%d got=%d level=%g time=%g of %g-%g", early, start, steps, last, end, got, level, now, first, final);
    }
    return OK;
  }
  if (is(action, "OfxImageEffectActionRender")) {
    int fail = 0;
    params->getValue(param_of(effect, "fail"), &fail);
    messages->message(effect, "OfxMessageWarning", "many", "%d %s %.2f %c %u %lld %s %e %d %g %g %g %g %g %g %g %s %d %%", -1, "two", 3.25, '4',
                      5u, 6000000000LL, "s\xc3\xa9pt", 8.0, 9, 10.5, 11.5, 12.5, 13.5, 14.5, 15.5, 16.5, "seventeen", 18);
    if (fail) {
      messages->setPersistent(effect, "OfxMessageError", "broken", "The frame %s is broken", "1004");
      return FAILED;
    }
    messages->clearPersistent(effect);
    return OK;
  }
  return DEFAULT;
}

static void key_report(Effect effect, Param param) {
  unsigned int count = 0;
  double time = 0, at = 0, slope = 0, area = 0;
  int index = -9, none = -9;
  params->setValueAtTime(param, 10.0, 1.0);
  params->setValueAtTime(param, 20.0, 3.0);
  params->setValueAtTime(param, 20.0, 5.0);
  params->getNumKeys(param, &count);
  params->getKeyTime(param, 1, &time);
  OfxStatus beyond = params->getKeyTime(param, 2, &time);
  params->getKeyIndex(param, 12.0, 1, &index);
  OfxStatus missing = params->getKeyIndex(param, 25.0, 1, &none);
  params->getValueAtTime(param, 15.0, &at);
  params->getDerivative(param, 15.0, &slope);
  params->getIntegral(param, 10.0, 20.0, &area);
  report(effect, "keys=%u time=%g beyond=%d next=%d none=%d,%d mid=%g slope=%.3f area=%.3f deleted=%d,%d", count, time, beyond, index, none,
         missing, at, slope, area, params->deleteKey(param, 10.0), params->deleteKey(param, 11.0));
}

// One parameter of each kind; the button reads them all and sets some.
OfxStatus kinds_main(const char *action, const void *handle, Props in, Props out) {
  (void)out;
  Effect effect = (Effect)handle;
  if (is(action, "OfxActionDescribe")) return describe(effect, "Kinds", GENERAL, 0, SAFE);
  if (is(action, "OfxImageEffectActionDescribeInContext")) {
    static const char *const kinds[] = {"Integer", "Integer2D", "Integer3D", "Double", "Double2D", "Double3D", "RGB", "RGBA", "Boolean",
                                        "Choice", "String", "Custom", "PushButton", "Group", "Page"};
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) define_param(effect, kinds[i], kinds[i]);
    Props choice = define_param(effect, "Choice", "mode");
    for (int i = 0; i < 3; i++) props->setString(choice, "OfxParamPropChoiceOption", i, i == 0 ? "low" : i == 1 ? "middle" : "high");
    props->setInt(choice, "OfxParamPropDefault", 0, 1);
    props->setString(choice, "OfxParamPropParent", 0, "Group");
    Props place = define_param(effect, "Double2D", "place");
    props->setString(place, "OfxParamPropDoubleType", 0, "OfxParamDoubleTypeXYAbsolute");
    props->setString(place, "OfxParamPropDefaultCoordinateSystem", 0, "OfxParamCoordinatesNormalised");
    double half[2] = {0.5, 0.25};
    props->setDoubleN(place, "OfxParamPropDefault", 2, half);
    define_param(effect, "Double", "curve");
    define_param(effect, "Double", "follower");
    ParamSet set;
    Props again;
    effects->getParamSet(effect, &set);
    if (params->define(set, "OfxParamTypeDouble", "curve", &again) != 6 || params->define(set, "OfxParamTypeNonsense", "x", &again) != ERR_UNKNOWN)
      return FAILED;
    return plain_clips(effect);
  }
  if (is(action, "OfxActionInstanceChanged")) {
    char *name, *reason;
    props->getString(in, "OfxPropName", 0, &name);
    props->getString(in, "OfxPropChangeReason", 0, &reason);
    report(effect, "changed %s by %s", name, reason);
    if (!strcmp(name, "PushButton")) {
      int i[6] = {0}, flag = 9, choice = 9;
      double d[13] = {0};
      char *text, *custom;
      params->getValue(param_of(effect, "Integer"), i);
      params->getValue(param_of(effect, "Integer2D"), i + 1, i + 2);
      params->getValue(param_of(effect, "Integer3D"), i + 3, i + 4, i + 5);
      params->getValue(param_of(effect, "Double"), d);
      params->getValue(param_of(effect, "Double2D"), d + 1, d + 2);
      params->getValue(param_of(effect, "Double3D"), d + 3, d + 4, d + 5);
      params->getValueAtTime(param_of(effect, "RGB"), 3.0, d + 6, d + 7, d + 8);
      params->getValueAtTime(param_of(effect, "RGBA"), 3.0, d + 9, d + 10, d + 11, d + 12);
      params->getValue(param_of(effect, "Boolean"), &flag);
      params->getValue(param_of(effect, "mode"), &choice);
      params->getValue(param_of(effect, "String"), &text);
      params->getValue(param_of(effect, "Custom"), &custom);
      report(effect, "%d %d,%d %d,%d,%d %g %g,%g %g,%g,%g %g,%g,%g %g,%g,%g,%g %d %d [%s] [%s]", i[0], i[1], i[2], i[3], i[4], i[5], d[0], d[1],
             d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], flag, choice, text, custom);
      params->setValue(param_of(effect, "Integer3D"), -1, 2, -3);
      params->setValue(param_of(effect, "RGBA"), 0.1, -0.2, 30.0, 0.4);
      params->setValue(param_of(effect, "String"), "set by the plug-in");
      params->setValue(param_of(effect, "Boolean"), 0);
      Props mode;
      params->getPropertySet(param_of(effect, "mode"), &mode);
      props->setInt(mode, "OfxParamPropEnabled", 0, 0);
      props->setString(mode, "OfxParamPropChoiceOption", 3, "extreme");
      key_report(effect, param_of(effect, "curve"));
      params->copy(param_of(effect, "follower"), param_of(effect, "curve"), 100.0, 0);
    }
    return OK;
  }
  return DEFAULT;
}

// Everything that is wrong; says which status each mistake got.
OfxStatus abuse_main(const char *action, const void *handle, Props in, Props out) {
  (void)out;
  Effect effect = (Effect)handle;
  if (is(action, "OfxActionDescribe")) {
    Props own;
    effects->getPropertySet(effect, &own);
    OfxStatus stranger = props->setString(own, "OfxPropNobodyKnows", 0, "x"), kind = props->setInt(own, "OfxPropLabel", 0, 1),
              locked = props->setString(own, "OfxPropType", 0, "mine");
    if (stranger != ERR_UNKNOWN || kind != ERR_VALUE || locked != ERR_VALUE) return FAILED;
    return describe(effect, "Abuse", GENERAL, 0, SAFE);
  }
  if (is(action, "OfxImageEffectActionDescribeInContext")) {
    define_param(effect, "Double", "plain");
    return plain_clips(effect);
  }
  if (is(action, "OfxImageEffectActionRender")) {
    Props own, image, kept;
    Clip clip, none;
    ParamSet set;
    Param param;
    double number = 0, many[9];
    int whole = 0;
    char *text = 0;
    float *data;
    effects->getPropertySet(effect, &own);
    effects->getParamSet(effect, &set);
    effects->clipGetHandle(effect, "Source", &clip, 0);
    report(effect, "unknown=%d index=%d negative=%d kind=%d count=%d null=%d handle=%d junk=%d", props->getDouble(in, "OfxPropNobodyKnows", 0, &number),
           props->getDouble(in, "OfxPropTime", 1, &number), props->getDouble(in, "OfxPropTime", -1, &number),
           props->getInt(in, "OfxPropTime", 0, &whole), props->getDoubleN(in, "OfxImageEffectPropRenderScale", 9, many),
           props->getDouble(in, "OfxPropTime", 0, 0), props->getDouble(0, "OfxPropTime", 0, &number),
           props->getDouble((Props)handle, "OfxPropTime", 0, &number));
    effects->clipGetImage(clip, 1e9, 0, &image);
    OfxStatus missing = effects->clipGetImage(clip, 1e9, 0, &image), got = effects->clipGetImage(clip, 5, 0, &image);
    OfxStatus released = effects->clipReleaseImage(image), twice = effects->clipReleaseImage(image);
    OfxStatus late = props->getString(image, "OfxPropType", 0, &text);
    effects->clipGetImage(clip, 5, 0, &kept);  // never released
    report(effect, "missing=%d got=%d released=%d twice=%d late=%d clip=%d param=%d describe=%d define=%d", missing, got, released, twice, late,
           effects->clipGetHandle(effect, "Nobody", &none, 0), params->getHandle(set, "Nobody", &param, 0),
           effects->clipDefine(effect, "Late", &own), params->define(set, "OfxParamTypeDouble", "late", &own));
    Image result;
    open_image(effect, "Output", 5, &result);
    data = (float *)result.data;
    data[-1] = 1;  // before its image
    params->getHandle(set, "plain", &param, 0);
    params->setValue(param, 4.0);
    close_image(&result);
    return OK;
  }
  return DEFAULT;
}

// Says what the host tells it about color, and declares its own.
OfxStatus color_main(const char *action, const void *handle, Props in, Props out) {
  (void)in;
  Effect effect = (Effect)handle;
  Props own;
  if (is(action, "OfxActionDescribe")) {
    effects->getPropertySet(effect, &own);
    props->setString(own, "OfxImageEffectPropColourManagementStyle", 0, "OfxImageEffectColourManagementFull");
    return describe(effect, "Color", GENERAL, 0, SAFE);
  }
  if (is(action, "OfxImageEffectActionDescribeInContext")) return plain_clips(effect);
  if (is(action, "OfxImageEffectActionGetClipPreferences")) {
    props->setString(out, "OfxImageClipPropPreferredColourspaces_Source", 0, "ofx_scene_linear");
    props->setString(out, "OfxImageEffectPropPreMultiplication", 0, "OfxImageAlphaUnPremultiplied");
    return OK;
  }
  if (is(action, "OfxImageEffectActionGetOutputColourspace"))
    return props->setString(out, "OfxImageClipPropColourspace", 0, "OfxColourspace_Source");
  if (is(action, "OfxImageEffectActionRender")) {
    char *style = "absent", *config = "absent", *space = "absent", *hosts = "absent";
    Clip clip;
    Props clipProps;
    effects->getPropertySet(effect, &own);
    effects->clipGetHandle(effect, "Source", &clip, &clipProps);
    props->getString(host->host, "OfxImageEffectPropColourManagementStyle", 0, &hosts);
    props->getString(own, "OfxImageEffectPropColourManagementStyle", 0, &style);
    props->getString(own, "OfxImageEffectPropOCIOConfig", 0, &config);
    props->getString(clipProps, "OfxImageClipPropColourspace", 0, &space);
    report(effect, "host=%s style=%s config=%s space=%s", hosts, style, config, space);
    return OK;
  }
  return DEFAULT;
}

// Wants a host that can do everything, and float.
OfxStatus picky_main(const char *action, const void *handle, Props in, Props out) {
  (void)in, (void)out;
  Effect effect = (Effect)handle;
  if (is(action, "OfxActionDescribe")) {
    Props own;
    int temporal = 0, resolution = 0;
    props->getInt(host->host, "OfxImageEffectPropTemporalClipAccess", 0, &temporal);
    props->getInt(host->host, "OfxImageEffectPropSupportsMultiResolution", 0, &resolution);
    OfxStatus status = describe(effect, "Picky", GENERAL, 0, SAFE);
    effects->getPropertySet(effect, &own);
    const char *only = "OfxBitDepthFloat";
    props->setStringN(own, "OfxImageEffectPropSupportedPixelDepths", 1, &only);
    if (!temporal || !resolution) {
      if (messages) messages->message(effect, "OfxMessageError", "", "needs temporal access and any size");
      return MISSING;
    }
    return status;
  }
  if (is(action, "OfxImageEffectActionDescribeInContext")) {
    define_clip(effect, "Source", 0, 0);
    return OK;  // no output: breaks the rules
  }
  return DEFAULT;
}
