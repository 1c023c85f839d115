/* SPDX-License-Identifier: BSD-3-Clause */
/* sizes: prints bytes an object of each pool (config/np_pools.def), and what an app with default
 * settings reserves. Lines: `pool NAME BYTES COUNT PURPOSE` and `app NAME BYTES HANDLES`. */
#include <inttypes.h>
#include <stdio.h>

#include "core/np_app_state.h"

static void print_pools(const struct np_app *app)
{
    const struct np_plan *p = &app->plan;
#define NP_POOL(name, count, size, purpose)                                                        \
    printf("pool %s %u %u %s\n", #name, (unsigned)(size), (unsigned)(count), purpose);
#include "config/np_pools.def"
#undef NP_POOL
}

static void print_app(const char *name, enum np_role role)
{
    static struct np_settings settings;
    struct np_tuning tuning;
    struct np_app_needs needs;
    const struct np_settings *list[1] = {&settings};

    np_settings_init(&settings);
    settings.role = (uint8_t)role;
    np_tuning_init(&tuning);
    np_app_plan(list, 1, &tuning, &needs);
    printf("app %s %" PRIu64 " %u\n", name, needs.memory_bytes, (unsigned)needs.handles);
}

int main(void)
{
    static struct np_app app; /* all zero: element sizes that depend on settings show as 0 */

    print_pools(&app);
    print_app("server", NP_ROLE_SERVER);
    print_app("client", NP_ROLE_CLIENT);
    return 0;
}
