/* SPDX-License-Identifier: BSD-3-Clause */
/* Two walks over the text: the first finds the sections, their role (role= or the scheme of url=)
 * and [nodepass]; the second gives each instance its other options, which depend on the role. An
 * instance is known by the line of its header, so that a second section of the same name touches
 * nothing. */
#include "config/ini.h"

#include <ini.h>
#include <string.h>

#include "config/endpoint.h"
#include "config/query.h"
#include "config/url.h"
#include "core/base/fmt.h"

#if !INI_HANDLER_LINENO || !INI_USE_STACK
#error "inih: want -DINI_HANDLER_LINENO=1 -DINI_USE_STACK=1"
#endif

#if NP_MASTER
#define SECTIONS "[nodepass], [master] or [instance NAME]"
#define ROLES "server, client or master"
#define LAST_ROLE NP_ROLE_MASTER
#else
#define SECTIONS "[nodepass] or [instance NAME]"
#define ROLES "server or client"
#define LAST_ROLE NP_ROLE_CLIENT
#endif
#define SHOWN_BYTES 64 /* of a bad value in a report */
#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x
#define SECTION_NONE 0xffffu    /* before the first header, or a bad one: options are skipped */
#define SECTION_PROCESS 0xfffeu /* [nodepass] */

/* Options that a URL holds in its own places; bits of `seen` above those of query.h. */
enum part { PART_URL, PART_ROLE, PART_TUNNEL, PART_TARGET, PART_PASSWORD, PART_PREFIX, PART_COUNT };
#define PART_BIT(part) (1u << (24 + (part)))

struct section {
    uint32_t line; /* of its header */
    uint32_t seen;
    bool is_bad;
    bool is_master; /* [master] */
};

struct walk {
    struct np_ini *ini;
    const char *file;
    struct np_report *report;
    const char *text; /* not yet read */
    uint32_t left;    /* bytes */
    uint32_t line;    /* being read, from 1 */
    uint32_t section; /* index or SECTION_* */
    uint32_t seen;    /* options of [nodepass] */
    bool is_second;   /* the second walk */
    bool is_unsplit;  /* the line at hand has content that inih has not given back yet */
    bool is_full;     /* too many instances was told */
    bool has_header;  /* some header was read */
    uint32_t found;   /* sections found, good and bad */
    struct section info[NP_MAX_INSTANCES];
};

/* ---- reports --------------------------------------------------------------------------------- */

static void line_in_section(void *context, bool is_error, const char *text)
{
    struct walk *walk = context;
    const char *open = "", *name = "", *close = "";

    if (walk->section == SECTION_PROCESS) {
        open = "[nodepass] ";
    } else if (walk->section != SECTION_NONE) {
        open = "[instance ";
        name = walk->ini->instances[walk->section].alias;
        close = "] ";
        walk->info[walk->section].is_bad |= is_error;
    }
    if (is_error) {
        np_report_error(walk->report, "%s:%u: %s%s%s%s", walk->file, walk->line, open, name, close,
                        text);
    } else {
        np_report_warning(walk->report, "%s:%u: %s%s%s%s", walk->file, walk->line, open, name,
                          close, text);
    }
}

static struct np_report report_here(struct walk *walk)
{
    return (struct np_report){line_in_section, walk, 0};
}

/* A fault of the line itself; told in the first walk only. */
static void line_error(struct walk *walk, const char *text)
{
    struct np_report here = report_here(walk);

    if (!walk->is_second) {
        np_report_error(&here, "%s", text);
    }
}

/* ---- sections -------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

static void open_instance(struct walk *walk, const char *name, uint32_t len)
{
    struct np_ini *ini = walk->ini;
    struct np_settings *settings = &ini->instances[walk->found];
    struct np_report here;

    for (uint32_t i = 0; i < walk->found; i++) {
        if (strlen(ini->instances[i].alias) == len &&
            memcmp(ini->instances[i].alias, name, len) == 0) {
            here = report_here(walk);
            np_report_error(&here, "[instance %.*s] this name is taken by the section in line %u",
                            (int)len, name, walk->info[i].line);
            return;
        }
    }
    if (walk->found == ini->cap) {
        if (!walk->is_full) {
            here = report_here(walk);
            np_report_error(&here, "too many instances, this build runs at most %u", ini->cap);
        }
        walk->is_full = true;
        return;
    }
    np_settings_init(settings);
    memcpy(settings->alias, name, len);
    walk->info[walk->found] = (struct section){walk->line, 0, false, false};
    walk->section = walk->found++;
}

static void find_instance(struct walk *walk)
{
    for (uint32_t i = 0; i < walk->found; i++) {
        if (walk->info[i].line == walk->line) {
            walk->section = i;
        }
    }
}

/* [master] is an instance whose role is known. */
static void open_master(struct walk *walk, const char *name, uint32_t len)
{
    if (walk->is_second) {
        find_instance(walk);
        return;
    }
    open_instance(walk, name, len);
    if (walk->section != SECTION_NONE) {
        walk->ini->instances[walk->section].role = NP_ROLE_MASTER;
        walk->info[walk->section].is_master = true;
    }
}

/* `text` of `len` bytes begins with '['. */
static void open_section(struct walk *walk, const char *text, uint32_t len)
{
    const char *end = memchr(text, ']', len);
    uint32_t name_len = end == NULL ? 0 : (uint32_t)(end - text) - 1, rest = name_len + 2;
    const char *name = text + 1;

    walk->section = SECTION_NONE;
    walk->has_header = true;
    while (rest < len && is_blank(text[rest])) {
        rest++;
    }
    if (end == NULL || (rest < len && text[rest] != ';' && text[rest] != '#')) {
        line_error(walk, "want " SECTIONS " alone in its line");
        return;
    }
    while (name_len > 0 && is_blank(name[name_len - 1])) {
        name_len--;
    }
    if (name_len == 8 && memcmp(name, "nodepass", 8) == 0) {
        walk->section = SECTION_PROCESS;
        return;
    }
    if (NP_MASTER && name_len == 6 && memcmp(name, "master", 6) == 0) {
        open_master(walk, name, name_len);
        return;
    }
    if (name_len > 9 && memcmp(name, "instance ", 9) == 0) {
        for (name += 9, name_len -= 9; is_blank(*name); name++) {
            name_len--;
        }
        if (name_len > NP_MAX_ALIAS) {
            line_error(walk, "the name of the instance is too long, want at most " TEXT(
                                 NP_MAX_ALIAS) " bytes");
        } else if (walk->is_second) {
            find_instance(walk);
        } else {
            open_instance(walk, name, name_len);
        }
        return;
    }
    line_error(walk, "unknown section, want " SECTIONS);
}

/* ---- lines ----------------------------------------------------------------------------------- */

static bool has_control_byte(const char *text, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 && !is_blank(text[i])) {
            return true;
        }
    }
    return false;
}

/* Looks at a line without its leading blanks. Returns true if it is for inih to split. */
static bool admit_line(struct walk *walk, const char *text, uint32_t len, uint32_t cap)
{
    if (len == 0 || text[0] == ';' || text[0] == '#') {
        return false;
    }
    if (has_control_byte(text, len)) {
        line_error(walk, "this line has a control byte");
        return false;
    }
    if (text[0] == '[') {
        open_section(walk, text, len);
        return false;
    }
    if (len + 2 > cap) {
        line_error(walk, "this line is too long");
        return false;
    }
    return true;
}

/* What inih calls for the next line; an empty one stands for all that it need not see. */
static char *read_line(char *out, int cap, void *stream)
{
    struct walk *walk = stream;
    const char *text = walk->text;
    const char *end = memchr(text, '\n', walk->left);
    uint32_t len = end == NULL ? walk->left : (uint32_t)(end - text);

    if (walk->is_unsplit) {
        line_error(walk, "want OPTION = VALUE, a [section] or a ; comment");
        walk->is_unsplit = false;
    }
    if (walk->left == 0 || cap < 3) {
        return NULL;
    }
    walk->line++;
    walk->text += end == NULL ? len : len + 1;
    walk->left -= end == NULL ? len : len + 1;
    if (walk->line == 1 && len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        len -= 3;
    }
    while (len > 0 && is_blank(text[0])) { /* else inih takes it for more of the line before */
        text++;
        len--;
    }
    while (len > 0 && is_blank(text[len - 1])) {
        len--;
    }
    walk->is_unsplit = admit_line(walk, text, len, (uint32_t)cap);
    if (!walk->is_unsplit) {
        len = 0;
    }
    memcpy(out, text, len);
    out[len] = '\n';
    out[len + 1] = '\0';
    return out;
}

/* ---- options --------------------------------------------------------------------------------- */

static void parse_place(struct np_endpoint *endpoint, const char *name, const char *value,
                        struct np_report *here)
{
    const char *want = np_endpoint_parse(endpoint, value, (uint32_t)strlen(value));

    if (want == NULL) {
        return;
    }
    if (strchr(value, '@') != NULL) {
        np_report_error(here, "%s: %s; the key is an option of its own, password", name, want);
    } else {
        np_report_error(here, "%s=%.*s: %s", name, SHOWN_BYTES, value, want);
    }
}

static void parse_password(struct np_settings *settings, const char *value, struct np_report *here)
{
    size_t len = strlen(value);

    if (settings->role == NP_ROLE_MASTER) {
        np_report_warning(here, "password: a master has none, ignored");
        return;
    }
    if (len == 0 || len > NP_MAX_KEY) {
        np_report_error(here, "password: want 1 to %u bytes", (unsigned)NP_MAX_KEY);
        return;
    }
    memcpy(settings->key, value, len);
    settings->key_len = (uint16_t)len;
    settings->key_given = true;
}

static void parse_role(struct np_settings *settings, const char *value, struct np_report *here)
{
    static const char *const names[] = {"", "server", "client", "master"};

    for (uint8_t role = NP_ROLE_SERVER; role <= LAST_ROLE; role++) {
        if (strcmp(value, names[role]) == 0) {
            settings->role = role;
            return;
        }
    }
    np_report_error(here, "role=%.*s: want " ROLES, SHOWN_BYTES, value);
}

/* Index of a part, PART_COUNT if `name` is none. */
static uint32_t find_part(const char *name)
{
    static const char *const names[] = {"url", "role", "tunnel", "target", "password", "prefix"};
    uint32_t i = 0;

    while (i < PART_COUNT && strcmp(name, names[i]) != 0) {
        i++;
    }
    return i;
}

static void apply_part(struct walk *walk, uint32_t part, const char *name, const char *value)
{
    struct np_settings *settings = &walk->ini->instances[walk->section];
    struct section *info = &walk->info[walk->section];
    struct np_report here = report_here(walk);
    const char *want = NULL;
    bool has_url = (info->seen & PART_BIT(PART_URL)) != 0, has_both;

    if ((info->seen & PART_BIT(part)) != 0) {
        np_report_error(&here, "%s: given twice, want it once", name);
        return;
    }
    has_both = has_url || (part == PART_URL && (info->seen & PART_BIT(PART_ROLE)) != 0);
    info->seen |= PART_BIT(part);
    if (has_both) {
        np_report_error(&here, "%s: want either a url or the parts of one", name);
        return;
    }
    switch (part) {
    case PART_URL:
        np_url_apply(settings, &info->seen, value, (uint32_t)strlen(value), &here);
        return;
    case PART_ROLE:
        parse_role(settings, value, &here);
        return;
    case PART_TUNNEL:
        parse_place(&settings->tunnel, name, value, &here);
        return;
    case PART_TARGET:
        parse_place(&settings->target, name, value, &here);
        return;
    case PART_PASSWORD:
        parse_password(settings, value, &here);
        return;
    default:
        want = np_url_parse_prefix(settings, value, (uint32_t)strlen(value));
        if (want != NULL) {
            np_report_error(&here, "prefix: %s", want);
        }
        return;
    }
}

static void apply_option(struct walk *walk, const char *name, const char *value)
{
    struct np_report here = report_here(walk);
    enum np_err err;

    if (walk->section == SECTION_PROCESS) {
        err = np_env_apply(walk->ini->process, &walk->seen, name, value, &here);
    } else {
        err = np_query_apply(&walk->ini->instances[walk->section], &walk->info[walk->section].seen,
                             name, (uint32_t)strlen(name), value, (uint32_t)strlen(value), &here);
    }
    if (err == NP_ERR_NOT_FOUND && np_query_is_quotable(name, (uint32_t)strlen(name))) {
        np_report_error(&here, "%s: unknown option", name);
    } else if (err == NP_ERR_NOT_FOUND) {
        np_report_error(&here, "unknown option");
    }
}

/* What inih calls for each option. Roles come in the first walk, what depends on them later. */
static int on_option(void *user, const char *section, const char *name, const char *value, int line)
{
    struct walk *walk = user;
    uint32_t part = find_part(name);
    bool is_early;

    (void)section; /* cut at 49 bytes; ours is whole */
    (void)line;
    walk->is_unsplit = false;
    if (walk->section == SECTION_NONE) {
        if (!walk->has_header) {
            line_error(walk, "an option before the first section");
        }
        return 1;
    }
    is_early = walk->section == SECTION_PROCESS || part == PART_URL || part == PART_ROLE;
    if (is_early == walk->is_second) {
        return 1;
    }
    if (walk->section != SECTION_PROCESS && part != PART_COUNT) {
        apply_part(walk, part, name, value);
    } else {
        apply_option(walk, name, value);
    }
    return 1;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void walk_text(struct walk *walk, const char *text, uint32_t len, bool is_second)
{
    walk->text = text;
    walk->left = len;
    walk->line = 0;
    walk->section = SECTION_NONE;
    walk->is_second = is_second;
    walk->is_unsplit = false;
    (void)ini_parse_stream(read_line, walk, on_option, walk);
}

/* The parts that must be there. */
static void complete_instance(struct walk *walk, uint32_t index)
{
    struct np_settings *settings = &walk->ini->instances[index];
    uint32_t seen = walk->info[index].seen;
    struct np_report here = report_here(walk);

    walk->section = index;
    walk->line = walk->info[index].line;
    if ((seen & PART_BIT(PART_URL)) == 0) {
        if ((seen & PART_BIT(PART_ROLE)) == 0 && !walk->info[index].is_master) {
            np_report_error(&here, "url or role: missing, want one of them");
        }
        if ((seen & PART_BIT(PART_TUNNEL)) == 0) {
            np_report_error(&here, "tunnel: missing, want host:port");
        }
        if ((seen & PART_BIT(PART_TARGET)) == 0 && settings->role != NP_ROLE_MASTER) {
            np_report_error(&here, "target: missing, want host:port");
        }
    }
    if (walk->info[index].is_master && settings->role != NP_ROLE_MASTER) {
        np_report_error(&here, "want a master:// URL or the parts of one in [master]");
    }
    np_settings_complete(settings, &here);
}

void np_ini_parse(struct np_ini *ini, const char *text, uint32_t len, const char *file,
                  struct np_report *report)
{
    struct walk walk = {.ini = ini, .file = file, .report = report};

    ini->count = 0;
    ini->cap = ini->cap < NP_MAX_INSTANCES ? ini->cap : NP_MAX_INSTANCES;
    walk_text(&walk, text, len, false);
    for (uint32_t i = 0; i < walk.found; i++) {
        if ((walk.info[i].seen & NP_QUERY_SEEN_LOG) == 0) {
            ini->instances[i].log_level = ini->process->log_level;
        }
    }
    walk_text(&walk, text, len, true);
    for (uint32_t i = 0; i < walk.found; i++) {
        complete_instance(&walk, i);
        if (!walk.info[i].is_bad && ini->count++ != i) {
            ini->instances[ini->count - 1] = ini->instances[i];
        }
    }
    if (walk.found == 0) {
        np_report_error(report, "%s: no [instance NAME] section, want at least one", file);
    }
}
