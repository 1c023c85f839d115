/* SPDX-License-Identifier: BSD-3-Clause */
/* dns_files: lines of /etc/resolv.conf and /etc/hosts. */
#ifndef NP_PLATFORM_POSIX_DNS_FILES_H
#define NP_PLATFORM_POSIX_DNS_FILES_H

#include <stdint.h>

#include "core/base/addr.h"

#define NP_DNS_SERVERS 3u
#define NP_DNS_SEARCH_CAP 256u

struct np_dns_conf {
    struct np_addr servers[NP_DNS_SERVERS]; /* with port 53 */
    uint8_t servers_count;
    uint8_t dots;                       /* a name with as many is asked for as it is, not below
                                        the domains of `search` */
    uint8_t attempts;                   /* rounds over the servers */
    uint8_t timeout_s;                  /* of one round over one server */
    char search[NP_DNS_SEARCH_CAP];     /* domains with spaces between */
    uint32_t (*zone)(const char *name); /* number of a network interface, 0 = none; may be NULL */
};

/* The values that hold without a file but for `zone`, which stays. */
void np_dns_conf_init(struct np_dns_conf *conf);
/* Takes a line of /etc/resolv.conf, which is cut into words. What it does not know is skipped. */
void np_dns_conf_line(struct np_dns_conf *conf, char *line);

/* Takes a line of /etc/hosts, which is cut into words. Returns true and the address (port 0) if the
 * line gives one to `name`; case does not matter, nor a dot at the end of `name`. */
bool np_dns_hosts_line(char *line, const char *name, struct np_addr *addr);

#endif
