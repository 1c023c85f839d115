/* SPDX-License-Identifier: BSD-3-Clause */
#define _DEFAULT_SOURCE
#include "port/posix/ctl_find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/statefile.h"
#include "core/base/ct.h"
#include "core/base/fmt.h"
#include "core/http/slice.h"

#define HEAD_CAP 2048u /* of the state file: key and address stand at its top */

/* ---- address --------------------------------------------------------------------------------- */

/* Takes "host:port" of `len` bytes. An empty host is this machine. */
static bool parse_authority(struct np_ctl_where *where, const char *text, size_t len)
{
    const char *colon = NULL;
    uint64_t port;

    for (size_t i = len; i > 0 && colon == NULL; i--) {
        colon = text[i - 1] == ':' ? text + i - 1 : NULL;
    }
    if (colon == NULL) {
        return false;
    }
    size_t host_len = (size_t)(colon - text), port_len = len - host_len - 1;
    if (port_len == 0 || port_len > 5 ||
        !np_parse_uint(colon + 1, (uint32_t)port_len, 65535, &port) || port == 0) {
        return false;
    }
    bool has_brackets = host_len >= 2 && text[0] == '[' && text[host_len - 1] == ']';
    if (has_brackets) {
        text++;
        host_len -= 2;
    }
    np_fmt(where->host, sizeof where->host, "%.*s", (int)host_len, text);
    if (host_len > NP_MAX_HOST || strpbrk(where->host, has_brackets ? "@[]" : "@[]:") != NULL) {
        return false;
    }
    np_fmt(where->port, sizeof where->port, "%u", (unsigned)port);
    if (host_len == 0 || strcmp(where->host, "0.0.0.0") == 0) {
        np_fmt(where->host, sizeof where->host, "127.0.0.1");
    } else if (strcmp(where->host, "::") == 0) {
        np_fmt(where->host, sizeof where->host, "::1");
    }
    return true;
}

bool np_ctl_where_parse(struct np_ctl_where *where, const char *text)
{
    static const char *const schemes[] = {"http://", "https://", "master://"};
    bool is_master = false;

    where->is_tls = false;
    for (uint32_t i = 0; i < 3; i++) {
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0) {
            text += strlen(schemes[i]);
            where->is_tls = i == 1;
            is_master = i == 2;
            break;
        }
    }
    size_t len = strcspn(text, "/?");
    const char *path = text + len, *query = strchr(text, '?');
    size_t path_len = query == NULL ? strlen(path) : (size_t)(query - path);
    if (is_master && query != NULL) {
        where->is_tls =
            np_text_find(query, "tls=1") != NULL || np_text_find(query, "tls=2") != NULL;
    }
    while (path_len > 0 && path[path_len - 1] == '/') {
        path_len--;
    }
    if (path_len >= 3 && memcmp(path + path_len - 3, "/v1", 3) == 0 && !is_master) {
        path_len -= 3;
    }
    if (path_len > NP_MAX_PATH || !parse_authority(where, text, len)) {
        return false;
    }
    np_fmt(where->base, sizeof where->base, "%.*s/v1", path_len == 0 ? 4 : (int)path_len,
           path_len == 0 ? "/api" : path);
    return true;
}

bool np_ctl_pin_parse(struct np_ctl_where *where, const char *text)
{
    if (strlen(text) != 7 + 64 || memcmp(text, "sha256:", 7) != 0) {
        return false;
    }
    for (uint32_t i = 0; i < 32; i++) {
        int32_t high = np_hex_value(text[7 + 2 * i]), low = np_hex_value(text[8 + 2 * i]);

        if (high < 0 || low < 0) {
            return false;
        }
        where->pin[i] = (uint8_t)(high << 4 | low);
    }
    where->has_pin = true;
    return true;
}

/* ---- state directory ------------------------------------------------------------------------- */

/* As the master chooses it: config.md 5. */
static void choose_path(struct np_ctl_found *found, const char *dir)
{
    const char *state_home = getenv("XDG_STATE_HOME"), *home = getenv("HOME"), *below = "";

    dir = dir == NULL ? getenv("NP_STATE_DIR") : dir;
    if (dir == NULL || dir[0] == '\0') {
        if (geteuid() == 0) {
            dir = "/var/lib/nodepass";
        } else if (state_home != NULL && state_home[0] == '/') {
            dir = state_home;
            below = "/nodepass";
        } else {
            dir = home == NULL ? "" : home;
            below = "/.local/state/nodepass";
        }
    }
    np_fmt(found->state_path, sizeof found->state_path, "%s%s/nodepass.ini", dir, below);
}

/* The value of "name = value" in the first section of `text`, copied; "" if there is none. */
static void copy_option(const char *text, const char *name, char *out, uint32_t cap)
{
    size_t name_len = strlen(name);
    uint32_t sections = 0;

    out[0] = '\0';
    for (const char *line = text; line != NULL && sections < 2;
         line = strchr(line, '\n'), line = line == NULL ? NULL : line + 1) {
        sections += line[0] == '[' ? 1 : 0;
        if (sections == 1 && strncmp(line, name, name_len) == 0 &&
            strncmp(line + name_len, " = ", 3) == 0) {
            const char *value = line + name_len + 3;
            if (!np_statefile_unescape(value, (uint32_t)strcspn(value, "\r\n"), out, cap)) {
                out[0] = '\0';
            }
        }
    }
}

static bool is_loopback(const struct np_ctl_where *where)
{
    return strncmp(where->host, "127.", 4) == 0 || strcmp(where->host, "::1") == 0 ||
           strcmp(where->host, "localhost") == 0;
}

/* The key of the state is for the master of the state: it is not sent to another machine unless
 * the directory was named for that. */
static void read_state(struct np_ctl_found *found, bool is_named)
{
    char text[HEAD_CAP + 1], address[NP_MAX_HOST + NP_MAX_PATH + 32];
    int fd = open(found->state_path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? 0 : read(fd, text, HEAD_CAP);
    struct np_ctl_where own = {0};

    found->is_state_denied = fd < 0 && (errno == EACCES || errno == EPERM);
    if (fd >= 0) {
        (void)close(fd);
    }
    text[len > 0 ? len : 0] = '\0';
    copy_option(text, "api", address, sizeof address);
    bool has_own = address[0] != '\0' && np_ctl_where_parse(&own, address);
    if (!found->has_where && has_own) {
        found->where = own;
        found->has_where = true;
    }
    bool is_ours = is_named || !found->has_where || is_loopback(&found->where) ||
                   (has_own && strcmp(own.host, found->where.host) == 0);
    if (found->key[0] == '\0' && is_ours) {
        copy_option(text, "key", found->key, sizeof found->key);
        found->key_from = found->state_path;
    }
    np_ct_wipe(text, sizeof text);
}

/* What may stand in a header. */
static bool is_key(const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return false;
        }
    }
    return len > 0 && len < NP_CTL_KEY_CAP;
}

bool np_ctl_find(struct np_ctl_found *found, const char *master, const char *state_dir,
                 const char **bad)
{
    const char *key = getenv("NP_API_KEY");

    master = master == NULL ? getenv("NP_MASTER") : master;
    if (master != NULL && master[0] != '\0') {
        found->has_where = np_ctl_where_parse(&found->where, master);
        if (!found->has_where) {
            *bad = master;
            return false;
        }
    }
    if (key != NULL && key[0] != '\0') {
        if (!is_key(key)) {
            *bad = "NP_API_KEY";
            return false;
        }
        np_fmt(found->key, sizeof found->key, "%s", key);
        found->key_from = "NP_API_KEY";
    }
    choose_path(found, state_dir);
    read_state(found, state_dir != NULL);
    return true;
}
