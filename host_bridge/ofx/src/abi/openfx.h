/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the OpenFX C ABI that the plug-in uses: structures and suites. Written from the OpenFX 1.5 specification. */
#ifndef UNDERSTUDY_ABI_OPENFX_H
#define UNDERSTUDY_ABI_OPENFX_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int OfxStatus;
typedef double OfxTime;
typedef struct OfxPropertySetStruct *OfxPropertySetHandle;
typedef struct OfxImageEffectStruct *OfxImageEffectHandle;
typedef struct OfxImageClipStruct *OfxImageClipHandle;
typedef void (*OfxSlot)(void); /* a function of a suite that is not used */
typedef struct OfxParamSetStruct *OfxParamSetHandle;
typedef struct OfxParamStruct *OfxParamHandle;

typedef struct OfxRectI { int x1, y1, x2, y2; } OfxRectI;
typedef struct OfxRectD { double x1, y1, x2, y2; } OfxRectD;

enum {
  kOfxStatOK = 0,
  kOfxStatFailed = 1,
  kOfxStatErrFatal = 2,
  kOfxStatErrMissingHostFeature = 4,
  kOfxStatErrUnsupported = 5,
  kOfxStatErrMemory = 8,
  kOfxStatReplyDefault = 14
};

/* What a host gives to a plug-in. */
typedef struct OfxHost {
  OfxPropertySetHandle host;
  const void *(*fetchSuite)(OfxPropertySetHandle host, const char *suite, int version);
} OfxHost;

/* What a plug-in gives to a host. */
typedef struct OfxPlugin {
  const char *pluginApi;
  int apiVersion;
  const char *pluginIdentifier;
  unsigned int pluginVersionMajor;
  unsigned int pluginVersionMinor;
  void (*setHost)(OfxHost *host);
  OfxStatus (*mainEntry)(const char *action, const void *handle, OfxPropertySetHandle in, OfxPropertySetHandle out);
} OfxPlugin;

typedef struct OfxPropertySuiteV1 {
  OfxStatus (*setPointer)(OfxPropertySetHandle, const char *name, int index, void *value);
  OfxStatus (*setString)(OfxPropertySetHandle, const char *name, int index, const char *value);
  OfxStatus (*setDouble)(OfxPropertySetHandle, const char *name, int index, double value);
  OfxStatus (*setInt)(OfxPropertySetHandle, const char *name, int index, int value);
  OfxSlot unused_1[2];
  OfxStatus (*setDoubleN)(OfxPropertySetHandle, const char *name, int count, const double *values);
  OfxSlot unused_2;
  OfxStatus (*getPointer)(OfxPropertySetHandle, const char *name, int index, void **value);
  OfxStatus (*getString)(OfxPropertySetHandle, const char *name, int index, char **value);
  OfxStatus (*getDouble)(OfxPropertySetHandle, const char *name, int index, double *value);
  OfxStatus (*getInt)(OfxPropertySetHandle, const char *name, int index, int *value);
  OfxSlot unused_3[2];
  OfxStatus (*getDoubleN)(OfxPropertySetHandle, const char *name, int count, double *values);
  OfxStatus (*getIntN)(OfxPropertySetHandle, const char *name, int count, int *values);
  OfxSlot unused_4[2];
} OfxPropertySuiteV1;

typedef struct OfxImageEffectSuiteV1 {
  OfxStatus (*getPropertySet)(OfxImageEffectHandle, OfxPropertySetHandle *);
  OfxStatus (*getParamSet)(OfxImageEffectHandle, OfxParamSetHandle *);
  OfxStatus (*clipDefine)(OfxImageEffectHandle, const char *name, OfxPropertySetHandle *);
  OfxStatus (*clipGetHandle)(OfxImageEffectHandle, const char *name, OfxImageClipHandle *, OfxPropertySetHandle *);
  OfxStatus (*clipGetPropertySet)(OfxImageClipHandle, OfxPropertySetHandle *);
  OfxStatus (*clipGetImage)(OfxImageClipHandle, OfxTime, const OfxRectD *region, OfxPropertySetHandle *image);
  OfxStatus (*clipReleaseImage)(OfxPropertySetHandle image);
  OfxStatus (*clipGetRegionOfDefinition)(OfxImageClipHandle, OfxTime, OfxRectD *bounds);
  int (*abort)(OfxImageEffectHandle);
  OfxSlot unused_1[4];
} OfxImageEffectSuiteV1;

typedef struct OfxParameterSuiteV1 {
  OfxStatus (*paramDefine)(OfxParamSetHandle, const char *type, const char *name, OfxPropertySetHandle *);
  OfxStatus (*paramGetHandle)(OfxParamSetHandle, const char *name, OfxParamHandle *, OfxPropertySetHandle *);
  OfxSlot unused_1;
  OfxStatus (*paramGetPropertySet)(OfxParamHandle, OfxPropertySetHandle *);
  OfxSlot unused_2;
  OfxStatus (*paramGetValueAtTime)(OfxParamHandle, OfxTime, ...);
  OfxSlot unused_3[2];
  OfxStatus (*paramSetValue)(OfxParamHandle, ...);
  OfxSlot unused_4[9];
} OfxParameterSuiteV1;

/* Version 1 has the first function only. */
typedef struct OfxMessageSuiteV2 {
  OfxStatus (*message)(void *handle, const char *type, const char *id, const char *format, ...);
  OfxStatus (*setPersistentMessage)(void *handle, const char *type, const char *id, const char *format, ...);
  OfxStatus (*clearPersistentMessage)(void *handle);
} OfxMessageSuiteV2;

#ifdef __cplusplus
}
#endif
#endif
