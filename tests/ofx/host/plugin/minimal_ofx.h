// SPDX-License-Identifier: Apache-2.0
// What the test effects need of OpenFX, written from the specification for these tests alone: neither the host's tables nor the
// header of host_bridge/ofx were looked at, so that each can find the other wrong.
#ifndef MINIMAL_OFX_H
#define MINIMAL_OFX_H
#include <stddef.h>

typedef int OfxStatus;
typedef struct PropsTag *Props;
typedef struct EffectTag *Effect;
typedef struct ClipTag *Clip;
typedef struct ParamTag *Param;
typedef struct ParamSetTag *ParamSet;
typedef struct MutexTag *Mutex;
typedef struct MemoryTag *Memory;
typedef struct { double x1, y1, x2, y2; } RectD;
typedef struct { double min, max; } RangeD;

enum { OK = 0, FAILED = 1, ERR_UNKNOWN = 3, MISSING = 4, BAD_HANDLE = 9, BAD_INDEX = 10, ERR_VALUE = 11, YES = 12, NO = 13, DEFAULT = 14 };

typedef struct {
  Props host;
  const void *(*fetchSuite)(Props host, const char *name, int version);
} Host;

typedef OfxStatus (*Entry)(const char *action, const void *handle, Props in, Props out);

typedef struct {
  const char *api;
  int apiVersion;
  const char *identifier;
  unsigned int major, minor;
  void (*setHost)(Host *host);
  Entry main;
} Plugin;

typedef struct {
  OfxStatus (*setPointer)(Props, const char *, int, void *);
  OfxStatus (*setString)(Props, const char *, int, const char *);
  OfxStatus (*setDouble)(Props, const char *, int, double);
  OfxStatus (*setInt)(Props, const char *, int, int);
  OfxStatus (*setPointerN)(Props, const char *, int, void *const *);
  OfxStatus (*setStringN)(Props, const char *, int, const char *const *);
  OfxStatus (*setDoubleN)(Props, const char *, int, const double *);
  OfxStatus (*setIntN)(Props, const char *, int, const int *);
  OfxStatus (*getPointer)(Props, const char *, int, void **);
  OfxStatus (*getString)(Props, const char *, int, char **);
  OfxStatus (*getDouble)(Props, const char *, int, double *);
  OfxStatus (*getInt)(Props, const char *, int, int *);
  OfxStatus (*getPointerN)(Props, const char *, int, void **);
  OfxStatus (*getStringN)(Props, const char *, int, char **);
  OfxStatus (*getDoubleN)(Props, const char *, int, double *);
  OfxStatus (*getIntN)(Props, const char *, int, int *);
  OfxStatus (*reset)(Props, const char *);
  OfxStatus (*dimension)(Props, const char *, int *);
} PropertySuite;

typedef struct {
  OfxStatus (*getPropertySet)(Effect, Props *);
  OfxStatus (*getParamSet)(Effect, ParamSet *);
  OfxStatus (*clipDefine)(Effect, const char *, Props *);
  OfxStatus (*clipGetHandle)(Effect, const char *, Clip *, Props *);
  OfxStatus (*clipGetPropertySet)(Clip, Props *);
  OfxStatus (*clipGetImage)(Clip, double time, const RectD *region, Props *image);
  OfxStatus (*clipReleaseImage)(Props image);
  OfxStatus (*clipGetRegionOfDefinition)(Clip, double time, RectD *bounds);
  int (*abort)(Effect);
  OfxStatus (*imageMemoryAlloc)(Effect, size_t, Memory *);
  OfxStatus (*imageMemoryFree)(Memory);
  OfxStatus (*imageMemoryLock)(Memory, void **);
  OfxStatus (*imageMemoryUnlock)(Memory);
} EffectSuite;

typedef struct {
  OfxStatus (*define)(ParamSet, const char *kind, const char *name, Props *);
  OfxStatus (*getHandle)(ParamSet, const char *name, Param *, Props *);
  OfxStatus (*setGetPropertySet)(ParamSet, Props *);
  OfxStatus (*getPropertySet)(Param, Props *);
  OfxStatus (*getValue)(Param, ...);
  OfxStatus (*getValueAtTime)(Param, double time, ...);
  OfxStatus (*getDerivative)(Param, double time, ...);
  OfxStatus (*getIntegral)(Param, double from, double to, ...);
  OfxStatus (*setValue)(Param, ...);
  OfxStatus (*setValueAtTime)(Param, double time, ...);
  OfxStatus (*getNumKeys)(Param, unsigned int *);
  OfxStatus (*getKeyTime)(Param, unsigned int, double *);
  OfxStatus (*getKeyIndex)(Param, double time, int direction, int *);
  OfxStatus (*deleteKey)(Param, double time);
  OfxStatus (*deleteAllKeys)(Param);
  OfxStatus (*copy)(Param to, Param from, double offset, const RangeD *);
  OfxStatus (*editBegin)(ParamSet, const char *);
  OfxStatus (*editEnd)(ParamSet);
} ParameterSuite;

typedef struct {
  OfxStatus (*alloc)(void *, size_t, void **);
  OfxStatus (*free)(void *);
} MemorySuite;

typedef struct {
  OfxStatus (*multiThread)(void (*function)(unsigned int, unsigned int, void *), unsigned int, void *);
  OfxStatus (*numCPUs)(unsigned int *);
  OfxStatus (*index)(unsigned int *);
  int (*isSpawned)(void);
  OfxStatus (*mutexCreate)(Mutex *, int);
  OfxStatus (*mutexDestroy)(Mutex);
  OfxStatus (*mutexLock)(Mutex);
  OfxStatus (*mutexUnLock)(Mutex);
  OfxStatus (*mutexTryLock)(Mutex);
} ThreadSuite;

typedef struct {
  OfxStatus (*message)(void *, const char *kind, const char *id, const char *format, ...);
  OfxStatus (*setPersistent)(void *, const char *kind, const char *id, const char *format, ...);
  OfxStatus (*clearPersistent)(void *);
} MessageSuite;

typedef struct {
  OfxStatus (*start)(void *, const char *label, const char *id);
  OfxStatus (*update)(void *, double);
  OfxStatus (*end)(void *);
} ProgressSuite;

typedef struct {
  OfxStatus (*getTime)(void *, double *);
  OfxStatus (*gotoTime)(void *, double);
  OfxStatus (*bounds)(void *, double *, double *);
} TimeLineSuite;

// One fetched image.
typedef struct {
  Props handle;
  char *data;
  int x1, y1, x2, y2, rowBytes, channels;
  char depth;  // 'b'yte, 's'hort, 'h'alf, 'f'loat
} Image;

extern Host *host;
extern const PropertySuite *props;
extern const EffectSuite *effects;
extern const ParameterSuite *params;
extern const MemorySuite *memory;
extern const ThreadSuite *threads;
extern const MessageSuite *messages;
extern const ProgressSuite *progress;
extern const TimeLineSuite *timeline;

// What the effects share (plugin.c).
OfxStatus describe(Effect effect, const char *label, const char *const *contexts, int temporal, const char *safety);
void define_clip(Effect effect, const char *name, int temporal, int optional);
Props define_param(Effect effect, const char *kind, const char *name);
double number(Effect effect, const char *name, double time);
OfxStatus open_image(Effect effect, const char *clip, double time, Image *image);
void close_image(Image *image);
char *pixel(const Image *image, int x, int y);
double sample(const Image *image, int x, int y, int channel);
void store(const Image *image, int x, int y, int channel, double value);
void report(Effect effect, const char *format, ...);
void set_host(Host *given);

OfxStatus gain_main(const char *, const void *, Props, Props);
OfxStatus mean_main(const char *, const void *, Props, Props);
OfxStatus scale_main(const char *, const void *, Props, Props);
OfxStatus retimer_main(const char *, const void *, Props, Props);
OfxStatus abort_main(const char *, const void *, Props, Props);
OfxStatus message_main(const char *, const void *, Props, Props);
OfxStatus kinds_main(const char *, const void *, Props, Props);
OfxStatus abuse_main(const char *, const void *, Props, Props);
OfxStatus threads_main(const char *, const void *, Props, Props);
OfxStatus color_main(const char *, const void *, Props, Props);
OfxStatus picky_main(const char *, const void *, Props, Props);
#endif
