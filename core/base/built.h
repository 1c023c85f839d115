/* SPDX-License-Identifier: BSD-3-Clause */
/* built: when this program was made: a moment that has passed wherever it runs. The build sets it
 * (SOURCE_DATE_EPOCH, else the date of the commit). */
#ifndef NP_CORE_BASE_BUILT_H
#define NP_CORE_BASE_BUILT_H

#include <stdint.h>

extern const int64_t np_built_s; /* seconds since 1970 */

#endif
