/* SPDX-License-Identifier: BSD-3-Clause */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "port/posix/ctl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/fmt.h"
#include "core/http/json.h"
#include "port/posix/cli.h"
#include "port/posix/ctl_find.h"
#include "port/posix/ctl_http.h"
#include "port/posix/ctl_show.h"
#include "port/posix/ctl_text.h"

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_UNREACHED = 2 };
enum { MAX_WORDS = 64, EVENT_SILENCE_S = 45, ID_LEN = 8 };

#define EVENT_CAP (256u * 1024u)
#define PATH_CAP 128u
#define BODY_CAP 16384u
#define KEY_PATH "/instances/********"

struct ctl {
    struct np_ctl_found found;
    struct np_ctl_http http;
    const char *words[MAX_WORDS]; /* verb and its arguments */
    int word_count;
    const char *master, *state_dir, *pin;
    bool is_json, is_insecure, is_help, is_colorless, is_shown;
    struct np_json_value root; /* of the last answer, in `reply` */
    uint32_t reply_len;
    char event[EVENT_CAP];
    char reply[NP_CTL_REPLY_CAP];
};

static const struct np_slice no_body = {"", 0};

/* ---- saying what is wrong -------------------------------------------------------------------- */

static int refuse(const char *format, const char *text)
{
    np_cli_write(STDERR_FILENO, "nodepass ctl: ");
    np_cli_print(STDERR_FILENO, format, text);
    np_cli_write(STDERR_FILENO, "\n");
    return EXIT_REFUSED;
}

static int unreached(struct ctl *ctl)
{
    const struct np_ctl_where *where = &ctl->http.where;

    np_cli_print(STDERR_FILENO, "nodepass ctl: %s at %s:%s: %s\n",
                 ctl->http.status == 0 ? "no master" : "the master", where->host, where->port,
                 ctl->http.conn.why);
    if (np_text_find(ctl->http.conn.why, "self-signed") != NULL) {
        np_cli_write(STDERR_FILENO, "  A certificate of the master's own (tls=1) needs --pin "
                                    "sha256:..., as its log tells, or --insecure.\n");
    }
    return EXIT_UNREACHED;
}

/* The API said no. */
static int denied(struct ctl *ctl)
{
    char text[512];

    np_ctl_text_of(&ctl->root, "error", text, sizeof text);
    if (text[0] == '\0') {
        np_fmt(text, sizeof text, "HTTP status %u%s", (unsigned)ctl->http.status,
               ctl->http.status == 404 ? ": is this the master's address and prefix?" : "");
    }
    (void)refuse("%s", text);
    if (ctl->http.status == 401 && ctl->http.key[0] == '\0') {
        np_cli_print(STDERR_FILENO,
                     "  Set NP_API_KEY, or run this as the master's user: its state %s %s.\n",
                     ctl->found.state_path,
                     ctl->found.is_state_denied ? "can't be read" : "has no key for this address");
    } else if (ctl->http.status == 401) {
        np_cli_print(STDERR_FILENO, "  The key is from %s.\n", ctl->found.key_from);
    }
    return EXIT_REFUSED;
}

/* ---- requests -------------------------------------------------------------------------------- */

/* The whole answer to ctl->reply, its JSON to ctl->root. Returns an exit code. */
static int call(struct ctl *ctl, const char *method, const char *path, struct np_slice body)
{
    memset(&ctl->root, 0, sizeof ctl->root);
    if (!np_ctl_http_call(&ctl->http, method, path, body, ctl->reply, sizeof ctl->reply,
                          &ctl->reply_len)) {
        return unreached(ctl);
    }
    struct np_slice text = {ctl->reply, ctl->reply_len};
    bool is_json = np_json_parse(text, &ctl->root) == NP_OK;
    if (ctl->http.status >= 300 || (!is_json && ctl->http.status != 204)) {
        return denied(ctl);
    }
    return EXIT_DONE;
}

static void print_raw(struct ctl *ctl)
{
    const char *at = ctl->reply;

    for (uint32_t left = ctl->reply_len; left > 0;) {
        ssize_t n = write(STDOUT_FILENO, at, left);
        if (n <= 0) {
            return;
        }
        at += n;
        left -= (uint32_t)n;
    }
}

static bool is_text_of(const struct np_json_value *object, const char *name, const char *text)
{
    struct np_json_value value;

    return np_json_find(object, name, &value) && np_json_is_text(&value, text);
}

/* Finds the instance that `word` means: its id, its name, or the beginning of its id. */
static int find_id(struct ctl *ctl, const char *word, char id[ID_LEN + 1])
{
    uint32_t exact = 0, named = 0, begun = 0;
    char own[16], by_name[ID_LEN + 1] = "", by_start[ID_LEN + 1] = "";
    struct np_json_iter it;
    int code = call(ctl, "GET", "/instances", no_body);

    if (code != EXIT_DONE) {
        return code;
    }
    for (bool more = np_json_first(&it, &ctl->root); more; more = np_json_next(&it)) {
        np_ctl_text_of(&it.value, "id", own, sizeof own);
        if (strlen(own) != ID_LEN || own[0] == '*') {
            continue;
        }
        if (strcmp(own, word) == 0) {
            exact++;
            memcpy(id, own, ID_LEN + 1);
        } else if (is_text_of(&it.value, "alias", word)) {
            named++;
            memcpy(by_name, own, ID_LEN + 1);
        } else if (word[0] != '\0' && strncmp(own, word, strlen(word)) == 0) {
            begun++;
            memcpy(by_start, own, ID_LEN + 1);
        }
    }
    if (exact > 0) {
        return EXIT_DONE;
    }
    if (named > 1 || (named == 0 && begun > 1)) {
        return refuse("%s: several instances fit, want an id (nodepass ctl list)", word);
    }
    if (named == 0 && begun == 0) {
        return refuse("%s: no such instance, want an id or a name (nodepass ctl list)", word);
    }
    memcpy(id, named == 1 ? by_name : by_start, ID_LEN + 1);
    return EXIT_DONE;
}

/* ---- verbs ----------------------------------------------------------------------------------- */

/* Asks about the instance that `word` means; `id` is its id then. */
static int call_instance(struct ctl *ctl, const char *word, const char *method,
                         struct np_slice body, char id[ID_LEN + 1])
{
    char path[PATH_CAP];
    int code = find_id(ctl, word, id);

    np_fmt(path, sizeof path, "/instances/%s", id);
    return code == EXIT_DONE ? call(ctl, method, path, body) : code;
}

/* Prints the answer as it came (--json), or for people. */
static int show(struct ctl *ctl, int code, void (*print)(const struct np_json_value *answer))
{
    if (code == EXIT_DONE && ctl->is_json) {
        print_raw(ctl);
    } else if (code == EXIT_DONE) {
        print(&ctl->root);
    }
    return code;
}

static int run_list(struct ctl *ctl)
{
    return show(ctl, call(ctl, "GET", "/instances", no_body), np_ctl_show_list);
}

static int run_info(struct ctl *ctl)
{
    return show(ctl, call(ctl, "GET", "/info", no_body), np_ctl_show_info);
}

static int run_show(struct ctl *ctl)
{
    char id[ID_LEN + 1] = "";
    int code = call_instance(ctl, ctl->words[1], "GET", no_body, id);

    return show(ctl, code, ctl->is_shown ? np_ctl_show_open : np_ctl_show_instance);
}

/* {"url":..,"alias":..}; false if it is too long */
static bool make_body(char *out, uint32_t cap, const char *name, const char *value,
                      const char *more_name, const char *more_value, struct np_slice *body)
{
    struct np_json json;

    np_json_init(&json, out, cap);
    np_json_open(&json, NULL, '{');
    np_json_put_text(&json, name, value);
    if (more_value != NULL) {
        np_json_put_text(&json, more_name, more_value);
    }
    np_json_close(&json, '}');
    body->base = out;
    body->len = json.len;
    return !json.is_full;
}

/* Says what was done with one instance. */
static int report(struct ctl *ctl, int code, const char *done)
{
    char id[16], alias[512];

    if (code != EXIT_DONE) {
        return code;
    }
    if (ctl->is_json) {
        print_raw(ctl);
        return EXIT_DONE;
    }
    np_ctl_text_of(&ctl->root, "id", id, sizeof id);
    np_ctl_text_of(&ctl->root, "alias", alias, sizeof alias);
    np_cli_print(STDOUT_FILENO, "%s  %s%s%s\n", id, alias, alias[0] == '\0' ? "" : "  ", done);
    return EXIT_DONE;
}

static int run_add(struct ctl *ctl)
{
    char text[BODY_CAP];
    struct np_slice body;

    if (!make_body(text, sizeof text, "url", ctl->words[1], "alias",
                   ctl->word_count > 2 ? ctl->words[2] : NULL, &body)) {
        return refuse("%s", "the URL is too long");
    }
    return report(ctl, call(ctl, "POST", "/instances", body), "added");
}

static int run_edit(struct ctl *ctl)
{
    char id[ID_LEN + 1] = "", text[BODY_CAP];
    bool is_name = strcmp(ctl->words[0], "rename") == 0;
    struct np_slice body;

    if (!make_body(text, sizeof text, is_name ? "alias" : "url", ctl->words[2], NULL, NULL,
                   &body)) {
        return refuse("%s", "this is too long");
    }
    return report(ctl, call_instance(ctl, ctl->words[1], is_name ? "PATCH" : "PUT", body, id),
                  is_name ? "renamed" : "changed");
}

/* start, stop, restart, reset: of each instance named. */
static int run_action(struct ctl *ctl)
{
    static const char *const done[][2] = {
        {"start", "starting"}, {"stop", "stopping"}, {"restart", "restarting"}, {"reset", "reset"}};
    const char *verb = ctl->words[0], *word = "";
    char id[ID_LEN + 1] = "", text[64];
    struct np_slice body;
    int worst = EXIT_DONE;

    for (uint32_t i = 0; i < sizeof done / sizeof done[0]; i++) {
        word = strcmp(done[i][0], verb) == 0 ? done[i][1] : word;
    }
    (void)make_body(text, sizeof text, "action", verb, NULL, NULL, &body);
    for (int i = 1; i < ctl->word_count; i++) {
        int code = call_instance(ctl, ctl->words[i], "PATCH", body, id);

        code = report(ctl, code, word);
        worst = code > worst ? code : worst;
    }
    return worst;
}

static int run_remove(struct ctl *ctl)
{
    char id[ID_LEN + 1] = "";
    int worst = EXIT_DONE;

    for (int i = 1; i < ctl->word_count; i++) {
        int code = call_instance(ctl, ctl->words[i], "DELETE", no_body, id);

        if (code == EXIT_DONE && !ctl->is_json) {
            np_cli_print(STDOUT_FILENO, "%s  removed\n", id);
        }
        worst = code > worst ? code : worst;
    }
    return worst;
}

static void print_key(const struct ctl *ctl, const char *key)
{
    if (ctl->is_json) {
        np_cli_print(STDOUT_FILENO, "{\"key\":\"%s\"}\n", key);
    } else {
        np_cli_print(STDOUT_FILENO, "%s\n", key);
    }
}

/* Shows the key that would be used, without asking anybody; or has the master make a new one. */
static int run_key(struct ctl *ctl)
{
    char text[64], key[NP_CTL_KEY_CAP];
    struct np_slice body;

    if (ctl->word_count == 1) {
        if (ctl->found.key[0] == '\0') {
            return refuse(ctl->found.is_state_denied
                              ? "%s can't be read: run this as the master's user"
                              : "no key: NP_API_KEY is not set and %s has none",
                          ctl->found.state_path);
        }
        print_key(ctl, ctl->found.key);
        return EXIT_DONE;
    }
    if (strcmp(ctl->words[1], "rotate") != 0) {
        return refuse("key %s: want nothing or rotate", ctl->words[1]);
    }
    (void)make_body(text, sizeof text, "action", "restart", NULL, NULL, &body);
    int code = call(ctl, "PATCH", KEY_PATH, body);
    if (code == EXIT_DONE) {
        np_ctl_text_of(&ctl->root, "url", key, sizeof key);
        print_key(ctl, key);
    }
    return code;
}

/* ---- events ---------------------------------------------------------------------------------- */

/* One line of the stream. */
static void take_line(struct ctl *ctl, const char *line, uint32_t len, const char *id)
{
    struct np_json_value event, instance;
    struct np_slice text = {line + 5, len - 5};

    if (len < 6 || memcmp(line, "data:", 5) != 0 || np_json_parse(text, &event) != NP_OK) {
        return;
    }
    if (id[0] != '\0' &&
        (!np_json_find(&event, "instance", &instance) || !is_text_of(&instance, "id", id))) {
        return;
    }
    if (ctl->is_json) {
        while (text.len > 0 && text.base[0] == ' ') {
            text = np_slice_part(text, 1, text.len - 1);
        }
        memmove(ctl->reply, text.base, text.len);
        ctl->reply[text.len] = '\n';
        ctl->reply_len = text.len + 1;
        print_raw(ctl);
    } else {
        np_ctl_show_event(&event, !ctl->is_colorless && isatty(STDOUT_FILENO) == 1);
    }
}

static int run_events(struct ctl *ctl)
{
    char id[ID_LEN + 1] = "";
    uint32_t len = 0, start, i;
    int32_t n;

    if (ctl->word_count > 1) {
        int code = find_id(ctl, ctl->words[1], id);
        if (code != EXIT_DONE) {
            return code;
        }
    }
    if (!np_ctl_http_start(&ctl->http, "GET", "/events", no_body, EVENT_SILENCE_S)) {
        return unreached(ctl);
    }
    if (ctl->http.status != 200) {
        np_ctl_http_stop(&ctl->http);
        return call(ctl, "GET", "/events", no_body);
    }
    while ((n = np_ctl_http_read(&ctl->http, ctl->event + len, EVENT_CAP - len)) > 0) {
        len += (uint32_t)n;
        for (start = 0, i = 0; i < len; i++) {
            if (ctl->event[i] == '\n') {
                take_line(ctl, ctl->event + start, i - start, id);
                start = i + 1;
            }
        }
        memmove(ctl->event, ctl->event + start, len - start);
        len = len - start == EVENT_CAP ? 0 : len - start; /* a line that long is none of ours */
    }
    np_ctl_http_stop(&ctl->http);
    if (n < 0) {
        return unreached(ctl);
    }
    np_cli_write(STDERR_FILENO, "nodepass ctl: the master ended the stream\n");
    return EXIT_UNREACHED;
}

/* ---- command line ---------------------------------------------------------------------------- */

static const struct verb {
    const char *want;    /* begins with its name */
    uint8_t least, most; /* arguments */
    int (*run)(struct ctl *ctl);
} verbs[] = {
    {"list", 0, 0, run_list},
    {"info", 0, 0, run_info},
    {"show ID|NAME", 1, 1, run_show},
    {"add URL [NAME]", 1, 2, run_add},
    {"edit ID|NAME URL", 2, 2, run_edit},
    {"rename ID|NAME NEW-NAME", 2, 2, run_edit},
    {"start ID|NAME ...", 1, MAX_WORDS, run_action},
    {"stop ID|NAME ...", 1, MAX_WORDS, run_action},
    {"restart ID|NAME ...", 1, MAX_WORDS, run_action},
    {"reset ID|NAME ...", 1, MAX_WORDS, run_action},
    {"rm ID|NAME ...", 1, MAX_WORDS, run_remove},
    {"events [ID|NAME]", 0, 1, run_events},
    {"key [rotate]", 0, 1, run_key},
};

/* Takes a switch; returns how many arguments it took, 0 if it is unknown. */
static int take_switch(struct ctl *ctl, char **argv, int left)
{
    const struct {
        const char *name;
        bool *flag;
        const char **value;
    } table[] = {{"--json", &ctl->is_json, NULL},
                 {"--insecure", &ctl->is_insecure, NULL},
                 {"--help", &ctl->is_help, NULL},
                 {"-h", &ctl->is_help, NULL},
                 {"--no-color", &ctl->is_colorless, NULL},
                 {"--show-key", &ctl->is_shown, NULL},
                 {"--master", NULL, &ctl->master},
                 {"--state-dir", NULL, &ctl->state_dir},
                 {"--pin", NULL, &ctl->pin}};

    for (uint32_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        size_t len = strlen(table[i].name);

        if (strncmp(argv[0], table[i].name, len) != 0) {
            continue;
        }
        if (argv[0][len] == '\0' && table[i].flag != NULL) {
            *table[i].flag = true;
            return 1;
        }
        if (argv[0][len] == '\0' && left > 1) {
            *table[i].value = argv[1];
            return 2;
        }
        if (argv[0][len] == '=' && table[i].flag == NULL) {
            *table[i].value = argv[0] + len + 1;
            return 1;
        }
    }
    return 0;
}

static int parse(struct ctl *ctl, int argc, char **argv)
{
    for (int i = 0; i < argc;) {
        int taken = 1;

        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            taken = take_switch(ctl, argv + i, argc - i);
            if (taken == 0) {
                return refuse("%s: unknown switch or no value, see nodepass ctl help", argv[i]);
            }
        } else if (ctl->word_count == MAX_WORDS) {
            return refuse("%s", "too many arguments");
        } else {
            ctl->words[ctl->word_count++] = argv[i];
        }
        i += taken;
    }
    return EXIT_DONE;
}

/* Address, key and trust. */
static int prepare(struct ctl *ctl, const struct verb *verb)
{
    const char *bad = "", *pin = ctl->pin != NULL ? ctl->pin : getenv("NP_MASTER_PIN");

    if (!np_ctl_find(&ctl->found, ctl->master, ctl->state_dir, &bad)) {
        return refuse("%s: want http://HOST:PORT[/PREFIX] or https://..., and a key without blanks",
                      bad);
    }
    ctl->http.where = ctl->found.where;
    ctl->http.key = ctl->found.key;
    ctl->http.where.is_unchecked = ctl->is_insecure;
    if (pin != NULL && pin[0] != '\0' && !np_ctl_pin_parse(&ctl->http.where, pin)) {
        return refuse("pin %s: want sha256: and 64 hex digits", pin);
    }
    bool needs_master = verb->run != run_key || ctl->word_count > 1;
    if (needs_master && !ctl->found.has_where) {
        return refuse("no address: set NP_MASTER=http://HOST:PORT or give --master (%s has none)",
                      ctl->found.state_path);
    }
    return EXIT_DONE;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    int code = parse(ctl, argc, argv);

    if (code != EXIT_DONE) {
        return code;
    }
    if (ctl->is_help || ctl->word_count == 0 || strcmp(ctl->words[0], "help") == 0) {
        np_ctl_text_print_help();
        return ctl->word_count == 0 && !ctl->is_help ? EXIT_REFUSED : EXIT_DONE;
    }
    for (uint32_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        const struct verb *verb = &verbs[i];
        int given = ctl->word_count - 1;

        size_t len = strcspn(verb->want, " ");

        if (strlen(ctl->words[0]) != len || memcmp(verb->want, ctl->words[0], len) != 0) {
            continue;
        }
        if (given < verb->least || given > verb->most) {
            return refuse("want: nodepass ctl %s", verb->want);
        }
        code = prepare(ctl, verb);
        return code == EXIT_DONE ? verb->run(ctl) : code;
    }
    return refuse("%s: unknown verb, see nodepass ctl help", ctl->words[0]);
}

int np_ctl_run(int argc, char **argv)
{
    /* mostly the room for a long answer, which costs nothing while it is not touched */
    struct ctl *ctl = mmap(NULL, sizeof *ctl, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (ctl == MAP_FAILED) {
        (void)refuse("%s", "the system refused memory");
        return EXIT_UNREACHED;
    }
    int code = run(ctl, argc, argv);
    (void)munmap(ctl, sizeof *ctl);
    return code;
}
