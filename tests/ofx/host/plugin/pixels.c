// SPDX-License-Identifier: Apache-2.0
// Effects that compute something: gain, mean of three frames, scale, retime, rows in threads.
#include <math.h>
#include <string.h>

#include "minimal_ofx.h"

static const char *const FILTERS[] = {"OfxImageEffectContextFilter", "OfxImageEffectContextGeneral", 0};
static const char *const RETIMES[] = {"OfxImageEffectContextRetimer", 0};
static const char *const FULL = "OfxImageEffectRenderFullySafe";

static int is(const char *action, const char *name) { return !strcmp(action, name); }

static double time_of(Props in) {
  double time = 0;
  props->getDouble(in, "OfxPropTime", 0, &time);
  return time;
}

// Output = source x gain + offset for color, a gain that may animate.
OfxStatus gain_main(const char *action, const void *handle, Props in, Props out) {
  Effect effect = (Effect)handle;
  if (is(action, "OfxActionDescribe")) {
    Props own;
    effects->getPropertySet(effect, &own);
    return describe(effect, "Gain", FILTERS, 0, FULL) | props->setInt(own, "OfxImageEffectPropSupportsTiles", 0, 1);
  }
  if (is(action, "OfxImageEffectActionDescribeInContext")) {
    define_clip(effect, "Source", 0, 0);
    define_clip(effect, "Output", 0, 0);
    Props gain = define_param(effect, "Double", "gain");
    double one = 1, most = 10;
    props->setDoubleN(gain, "OfxParamPropDefault", 1, &one);
    props->setDouble(gain, "OfxParamPropMin", 0, -10);
    props->setDoubleN(gain, "OfxParamPropMax", 1, &most);
    props->setString(gain, "OfxPropLabel", 0, "Gain");
    return OK;
  }
  if (is(action, "OfxImageEffectActionIsIdentity")) {
    if (number(effect, "gain", time_of(in)) != 1.0) return DEFAULT;
    props->setString(out, "OfxPropName", 0, "Source");
    return OK;
  }
  if (is(action, "OfxImageEffectActionRender")) {
    Image source, result;
    double time = time_of(in), gain = number(effect, "gain", time);
    if (open_image(effect, "Source", time, &source) != OK) return FAILED;
    if (open_image(effect, "Output", time, &result) != OK) return FAILED;
    for (int y = result.y1; y < result.y2; y++)
      for (int x = result.x1; x < result.x2; x++)
        for (int c = 0; c < result.channels; c++) store(&result, x, y, c, sample(&source, x, y, c) * gain);
    close_image(&source);
    close_image(&result);
    return OK;
  }
  return DEFAULT;
}

// The mean of the frames t-1, t, t+1, weighted 1 2 4 so that a wrong order shows; a missing frame is the middle one.
OfxStatus mean_main(const char *action, const void *handle, Props in, Props out) {
  Effect effect = (Effect)handle;
  if (is(action, "OfxActionDescribe")) return describe(effect, "Mean", FILTERS, 1, "OfxImageEffectRenderInstanceSafe");
  if (is(action, "OfxImageEffectActionDescribeInContext")) {
    define_clip(effect, "Source", 1, 0);
    define_clip(effect, "Output", 0, 0);
    return OK;
  }
  if (is(action, "OfxImageEffectActionGetFramesNeeded")) {
    double ends[2] = {time_of(in) - 1, time_of(in) + 1};
    return props->setDoubleN(out, "OfxImageClipPropFrameRange_Source", 2, ends);
  }
  if (is(action, "OfxImageEffectActionRender")) {
    static const double weights[] = {1, 2, 4};
    Image images[3], result;
    int there[3];
    double time = time_of(in);
    for (int i = 0; i < 3; i++) there[i] = open_image(effect, "Source", time - 1 + i, &images[i]) == OK;
    if (!there[1] || open_image(effect, "Output", time, &result) != OK) return FAILED;
    for (int y = result.y1; y < result.y2; y++)
      for (int x = result.x1; x < result.x2; x++)
        for (int c = 0; c < result.channels; c++) {
          double sum = 0;
          for (int i = 0; i < 3; i++) sum += weights[i] * sample(&images[there[i] ? i : 1], x, y, c);
          store(&result, x, y, c, sum / 7);
        }
    for (int i = 0; i < 3; i++)
      if (there[i]) close_image(&images[i]);
    close_image(&result);
    return OK;
  }
  return DEFAULT;
}

// Each pixel becomes factor x factor pixels, by a region of definition that is as much larger.
OfxStatus scale_main(const char *action, const void *handle, Props in, Props out) {
  Effect effect = (Effect)handle;
  if (is(action, "OfxActionDescribe")) return describe(effect, "Scale", FILTERS, 0, "OfxImageEffectRenderUnsafe");
  if (is(action, "OfxImageEffectActionDescribeInContext")) {
    define_clip(effect, "Source", 0, 0);
    define_clip(effect, "Output", 0, 0);
    props->setDouble(define_param(effect, "Double", "factor"), "OfxParamPropDefault", 0, 2);
    return OK;
  }
  double time = in ? time_of(in) : 0, factor = in ? number(effect, "factor", time) : 1;
  Clip clip;
  RectD region;
  if (is(action, "OfxImageEffectActionGetRegionOfDefinition")) {
    effects->clipGetHandle(effect, "Source", &clip, 0);
    if (effects->clipGetRegionOfDefinition(clip, time, &region) != OK) return FAILED;
    double bounds[4] = {region.x1 * factor, region.y1 * factor, region.x2 * factor, region.y2 * factor};
    return props->setDoubleN(out, "OfxImageEffectPropRegionOfDefinition", 4, bounds);
  }
  if (is(action, "OfxImageEffectActionGetRegionsOfInterest")) {
    double wanted[4];
    props->getDoubleN(in, "OfxImageEffectPropRegionOfInterest", 4, wanted);
    for (int i = 0; i < 4; i++) wanted[i] /= factor;
    return props->setDoubleN(out, "OfxImageClipPropRoI_Source", 4, wanted);
  }
  if (is(action, "OfxImageEffectActionRender")) {
    Image source, result;
    int window[4];
    if (open_image(effect, "Source", time, &source) != OK || open_image(effect, "Output", time, &result) != OK) return FAILED;
    props->getIntN(in, "OfxImageEffectPropRenderWindow", 4, window);
    for (int y = window[1]; y < window[3]; y++)
      for (int x = window[0]; x < window[2]; x++)
        for (int c = 0; c < result.channels; c++)
          store(&result, x, y, c, sample(&source, (int)floor(x / factor), (int)floor(y / factor), c));
    close_image(&source);
    close_image(&result);
    return OK;
  }
  return DEFAULT;
}

// A linear blend of the frames around SourceTime.
OfxStatus retimer_main(const char *action, const void *handle, Props in, Props out) {
  Effect effect = (Effect)handle;
  if (is(action, "OfxActionDescribe")) return describe(effect, "Retimer", RETIMES, 1, FULL);
  if (is(action, "OfxImageEffectActionDescribeInContext")) {
    define_clip(effect, "Source", 1, 0);
    define_clip(effect, "Output", 0, 0);
    define_param(effect, "Double", "SourceTime");
    return OK;
  }
  if (!in) return DEFAULT;
  double time = time_of(in), wanted = number(effect, "SourceTime", time), whole = floor(wanted), part = wanted - whole;
  if (is(action, "OfxImageEffectActionIsIdentity") && part == 0) {
    props->setString(out, "OfxPropName", 0, "Source");
    props->setDouble(out, "OfxPropTime", 0, whole);
    return OK;
  }
  if (is(action, "OfxImageEffectActionRender")) {
    Image before, after, result;
    if (open_image(effect, "Source", whole, &before) != OK || open_image(effect, "Source", whole + 1, &after) != OK) return FAILED;
    if (open_image(effect, "Output", time, &result) != OK) return FAILED;
    for (int y = result.y1; y < result.y2; y++)
      for (int x = result.x1; x < result.x2; x++)
        for (int c = 0; c < result.channels; c++)
          store(&result, x, y, c, sample(&before, x, y, c) * (1 - part) + sample(&after, x, y, c) * part);
    close_image(&before);
    close_image(&after);
    close_image(&result);
    return OK;
  }
  return DEFAULT;
}

typedef struct { Image source, result; Mutex mutex; int threads, rows, recursion; } Job;

static void some_rows(unsigned int index, unsigned int count, void *argument) {
  Job *job = argument;
  unsigned int own;
  threads->index(&own);
  threads->mutexLock(job->mutex);
  if (own == index && threads->isSpawned() == 1) job->threads++;
  job->recursion = threads->multiThread(some_rows, 2, argument);
  threads->mutexUnLock(job->mutex);
  for (int y = job->result.y1 + (int)index; y < job->result.y2; y += (int)count) {
    for (int x = job->result.x1; x < job->result.x2; x++)
      for (int c = 0; c < job->result.channels; c++) store(&job->result, x, y, c, 2 * sample(&job->source, x, y, c));
    threads->mutexLock(job->mutex);
    job->rows++;
    threads->mutexUnLock(job->mutex);
  }
}

// Twice the source, rows shared out among the host's threads; says how it went.
OfxStatus threads_main(const char *action, const void *handle, Props in, Props out) {
  (void)out;
  Effect effect = (Effect)handle;
  if (is(action, "OfxActionDescribe")) return describe(effect, "Threads", FILTERS, 0, FULL);
  if (is(action, "OfxImageEffectActionDescribeInContext")) {
    define_clip(effect, "Source", 0, 0);
    define_clip(effect, "Output", 0, 0);
    return OK;
  }
  if (is(action, "OfxImageEffectActionRender")) {
    Job job = {0};
    unsigned int cpus = 0;
    void *block = 0, *locked = 0;
    Memory own;
    if (open_image(effect, "Source", time_of(in), &job.source) != OK || open_image(effect, "Output", time_of(in), &job.result) != OK)
      return FAILED;
    threads->numCPUs(&cpus);
    threads->mutexCreate(&job.mutex, 0);
    OfxStatus ran = threads->multiThread(some_rows, 1000, &job);
    threads->mutexLock(job.mutex);
    OfxStatus again = threads->mutexTryLock(job.mutex);
    threads->mutexUnLock(job.mutex);
    threads->mutexDestroy(job.mutex);
    OfxStatus gone = threads->mutexLock(job.mutex);
    OfxStatus alloc = memory->alloc(effect, 1000, &block);
    memset(block, 1, 1000);
    OfxStatus first = memory->free(block), second = memory->free(block);
    OfxStatus image = effects->imageMemoryAlloc(effect, 1 << 20, &own) | effects->imageMemoryLock(own, &locked);
    memset(locked, 1, 1 << 20);
    image |= effects->imageMemoryUnlock(own) | effects->imageMemoryFree(own);
    report(effect, "ran=%d cpus=%u threads=%d rows=%d recursion=%d again=%d gone=%d spawned=%d alloc=%d free=%d twice=%d image=%d late=%d",
           ran, cpus, job.threads, job.rows, job.recursion, again, gone, threads->isSpawned(), alloc, first, second, image,
           effects->imageMemoryFree(own));
    close_image(&job.source);
    close_image(&job.result);
    return OK;
  }
  return DEFAULT;
}
