/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/statefile.h"

#include <ini.h>
#include <string.h>

#include "config/query.h"

struct walk {
    bool (*option)(void *context, const char *section, const char *name, const char *value);
    void *context;
    const char *text; /* not yet read */
    uint32_t left;    /* bytes */
    bool is_cut;      /* a line was too long */
};

/* What inih calls for the next line. */
static char *read_line(char *out, int cap, void *stream)
{
    struct walk *walk = stream;
    const char *end = memchr(walk->text, '\n', walk->left);
    uint32_t len = end == NULL ? walk->left : (uint32_t)(end - walk->text) + 1;
    uint32_t kept = len < (uint32_t)cap ? len : (uint32_t)cap - 1;

    if (len == 0) {
        return NULL;
    }
    walk->is_cut = walk->is_cut || kept < len;
    memcpy(out, walk->text, kept);
    out[kept] = '\0';
    walk->text += len;
    walk->left -= len;
    return out;
}

static int on_option(void *user, const char *section, const char *name, const char *value, int line)
{
    const struct walk *walk = user;

    (void)line;
    return walk->option(walk->context, section, name, value == NULL ? "" : value) ? 1 : 0;
}

bool np_statefile_parse(const char *text, uint32_t len,
                        bool (*option)(void *context, const char *section, const char *name,
                                       const char *value),
                        void *context)
{
    struct walk walk = {option, context, text, len, false};

    return ini_parse_stream(read_line, &walk, on_option, &walk) == 0 && !walk.is_cut;
}

static bool is_special(unsigned char c)
{
    return c <= ' ' || c == 0x7f || strchr("%;#=&", c) != NULL;
}

uint32_t np_statefile_escape(const char *text, uint32_t len, char *out, uint32_t cap)
{
    static const char digits[] = "0123456789ABCDEF";
    uint32_t used = 0;

    for (uint32_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (used + 4 > cap) {
            out[0] = '\0';
            return 0;
        }
        if (is_special(c)) {
            out[used++] = '%';
            out[used++] = digits[c >> 4];
            out[used++] = digits[c & 15u];
        } else {
            out[used++] = (char)c;
        }
    }
    out[used] = '\0';
    return used;
}

bool np_statefile_unescape(const char *text, uint32_t len, char *out, uint32_t cap)
{
    int32_t used = np_query_decode(text, len, false, out, cap - 1);

    if (used < 0 || memchr(out, '\0', (size_t)used) != NULL) {
        out[0] = '\0';
        return false;
    }
    out[used] = '\0';
    return true;
}
