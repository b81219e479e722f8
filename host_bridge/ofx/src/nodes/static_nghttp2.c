/* SPDX-License-Identifier: Apache-2.0 */
/* Debian's libnghttp2.a was not compiled for shared objects: it reaches `stderr`, a variable of libc, directly. The linker
 * (--wrap=stderr) has it use this one instead. */
#include <stdio.h>

#undef stderr
extern FILE *__real_stderr;
__attribute__((visibility("hidden"))) FILE *__wrap_stderr;

__attribute__((constructor)) static void set_stderr(void) { __wrap_stderr = __real_stderr; }
