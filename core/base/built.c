/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/built.h"

/* Of a tree without git: 2026-02-01. To be raised with VERSION. */
#ifndef NP_BUILT_S
#define NP_BUILT_S 1769904000
#endif

const int64_t np_built_s = NP_BUILT_S;
