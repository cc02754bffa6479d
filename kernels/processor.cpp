// Which variants of the compiled core this processor and its operating system can run.
#include "variant.h"

LS_EXPORT int mvps_runs_baseline() { return 1; }

#if defined(__x86_64__)

LS_EXPORT int mvps_runs_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

LS_EXPORT int mvps_runs_avx512() { return mvps_runs_avx2() && __builtin_cpu_supports("avx512f"); }

#endif
