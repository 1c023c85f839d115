/* SPDX-License-Identifier: BSD-3-Clause */
#define _DEFAULT_SOURCE /* O_CLOEXEC, getrandom */
#include "port/posix/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/ini.h"
#include "config/listing.h"
#include "config/url.h"
#include "core/base/ct.h"
#include "core/tls/key_pair.h"
#include "core/tls/verify_roots.h"
#include "platform/posix/posix.h"

/* One file at a time; pages beyond its size are never touched. */
static char file_text[NP_LOAD_FILE_BYTES + 1];

static const char *get_variable(void *context, const char *name)
{
    (void)context;
    return getenv(name);
}

/* ---- files ----------------------------------------------------------------------------------- */

static const char *error_text(void)
{
    switch (errno) {
    case ENOENT:
        return "no such file";
    case EACCES:
    case EPERM:
        return "permission denied";
    case EISDIR:
        return "it is a directory";
    default:
        return "it can't be read";
    }
}

/* Reads up to `cap` bytes of `path` to file_text. Returns the length, or -1 after it told why. */
static ssize_t read_file(const char *path, size_t cap, struct stat *info, struct np_report *report)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size_t len = 0;
    ssize_t n = fd < 0 || fstat(fd, info) != 0 ? -1 : 1;

    while (n > 0 && len <= cap) {
        n = read(fd, file_text + len, cap + 1 - len);
        len += n > 0 ? (size_t)n : 0;
        n = n < 0 && errno == EINTR ? 1 : n;
    }
    if (n < 0) {
        np_report_error(report, "%s: %s", path, error_text());
    } else if (len > cap) {
        np_report_error(report, "%s: too large, want at most %u bytes", path, (unsigned)cap);
        n = -1;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return n < 0 ? -1 : (ssize_t)len;
}

static void parse_url(struct np_load *load, const char *url, size_t len, struct np_report *report)
{
    uint32_t errors = report->error_count;

    load->is_scheme_unknown = np_url_role(url, (uint32_t)len) == NP_ROLE_NONE;
    np_url_parse(&load->settings[0], url, (uint32_t)len, report);
    load->count = report->error_count == errors ? 1 : 0;
}

static void read_url_file(struct np_load *load, const char *path, struct np_report *report)
{
    struct stat info;
    ssize_t len = read_file(path, NP_MAX_URL + 2, &info, report);

    if (len < 0) {
        return;
    }
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        np_report_error(report, "%s: others may read the key in it, want mode 0600 (chmod 600)",
                        path);
    } else {
        while (len > 0 && (file_text[len - 1] == '\n' || file_text[len - 1] == '\r')) {
            len--;
        }
        parse_url(load, file_text, (size_t)len, report);
    }
    np_ct_wipe(file_text, sizeof(file_text) < NP_MAX_URL + 3 ? sizeof(file_text) : NP_MAX_URL + 3);
}

static void read_ini_file(struct np_load *load, const char *path, struct np_report *report)
{
    struct np_ini ini = {&load->process, load->settings, NP_MAX_INSTANCES, 0};
    struct stat info;
    ssize_t len = read_file(path, NP_LOAD_FILE_BYTES, &info, report);
    bool has_key = false;

    load->is_ini = true;
    if (len < 0) {
        return;
    }
    np_ini_parse(&ini, file_text, (uint32_t)len, path, report);
    np_ct_wipe(file_text, (uint32_t)len);
    load->count = ini.count;
    for (uint32_t i = 0; i < ini.count; i++) {
        has_key = has_key || load->settings[i].key_given;
    }
    if (has_key && (info.st_mode & S_IROTH) != 0) {
        np_report_warning(report, "%s: everybody may read the keys in it, want mode 0600", path);
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void copy_text(char *out, size_t cap, const char *text, const char *name,
                      struct np_report *report)
{
    size_t len = text == NULL ? 0 : strlen(text);

    if (len >= cap) {
        np_report_error(report, "%s: too long, want at most %u bytes", name, (unsigned)cap - 1);
    } else if (len > 0) {
        memcpy(out, text, len + 1);
    }
}

void np_load_open(struct np_load *load, const struct np_cli *cli, struct np_report *report)
{
    struct np_process *process = &load->process;

    memset(load, 0, sizeof(load->process));
    load->count = 0;
    np_process_init(process);
    np_env_load(process, get_variable, NULL, report);
    copy_text(process->state_dir, sizeof(process->state_dir), cli->state_dir, "--state-dir",
              report);
    if (cli->ini_path != NULL) {
        read_ini_file(load, cli->ini_path, report);
    } else if (cli->url_path != NULL) {
        read_url_file(load, cli->url_path, report);
    } else if (cli->url != NULL) {
        parse_url(load, cli->url, strlen(cli->url), report);
    }
    np_env_complete(process, report);
    copy_text(process->user, sizeof(process->user), cli->user, "--user", report);
    process->is_syslog = process->is_syslog || cli->is_syslog;
}

/* ---- certificates ---------------------------------------------------------------------------- */

static enum np_err fill_random(void *ctx, uint8_t *buf, uint32_t len)
{
    (void)ctx;
    return getrandom(buf, len, 0) == (ssize_t)len ? NP_OK : NP_ERR_IO;
}

/* Reads a PEM file; its length, or -1 and a report. */
static ssize_t read_pem(const char *path, char *buf, struct np_report *report)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t len = fd < 0 ? -1 : read(fd, buf, NP_CHAIN_TEXT_CAP);

    if (len < 0) {
        np_report_error(report, "%s: %s", path, np_posix_error_text(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return len;
}

/* Tries the certificate of a server with tls=2, as its start will. */
static void check_pair(const struct np_settings *settings, struct np_report *report)
{
    static char chain[NP_CHAIN_TEXT_CAP], key[NP_CHAIN_TEXT_CAP];
    static struct np_key_pair pair;
    const struct np_tls_random random = {fill_random, NULL};
    struct np_key_fault fault;
    ssize_t chain_len = read_pem(settings->crt, chain, report);
    ssize_t key_len = chain_len < 0 ? -1 : read_pem(settings->crt_key, key, report);

    if (key_len >= 0 && np_key_pair_load(&pair, chain, (uint32_t)chain_len, key, (uint32_t)key_len,
                                         &random, &fault) != NP_OK) {
        np_report_error(report, "%s: %s", fault.is_key_file ? settings->crt_key : settings->crt,
                        fault.text);
    }
    np_key_pair_wipe(&pair);
    np_ct_wipe(key, sizeof key);
}

/* ---- state directory of a master ------------------------------------------------------------- */

/* Joins two parts of a path; false if they do not fit. */
static bool join(char *out, const char *base, const char *rest)
{
    size_t base_len = strlen(base), rest_len = strlen(rest);

    if (base_len + rest_len > NP_MAX_PATH) {
        return false;
    }
    memcpy(out, base, base_len);
    memcpy(out + base_len, rest, rest_len + 1);
    return true;
}

/* config.md 5: state=, --state-dir or NP_STATE_DIR, /var/lib for root, else below the home. */
static bool choose_state(const struct np_load *load, char *out)
{
    const char *state_home = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (out[0] != '\0') {
        return true;
    }
    if (load->process.state_dir[0] != '\0') {
        return join(out, load->process.state_dir, "");
    }
    if (geteuid() == 0) {
        return join(out, "/var/lib/nodepass", "");
    }
    if (state_home != NULL && state_home[0] == '/') {
        return join(out, state_home, "/nodepass");
    }
    return home != NULL && home[0] == '/' && join(out, home, "/.local/state/nodepass");
}

/* Makes the directory and those above it, for the owner alone. */
static bool make_directories(char *path)
{
    for (char *c = path + 1; *c != '\0'; c++) {
        if (*c == '/') {
            *c = '\0';
            (void)mkdir(path, 0700);
            *c = '/';
        }
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* The state was saved when the clock was set, perhaps: that moment has passed. */
static void note_time(struct np_tuning *tuning, const char *dir)
{
    char path[NP_MAX_PATH + 1];
    struct stat file;

    if (join(path, dir, "/nodepass.ini") && stat(path, &file) == 0 &&
        file.st_mtime > tuning->known_s) {
        tuning->known_s = file.st_mtime;
    }
}

static void prepare_state(struct np_load *load, struct np_settings *master,
                          struct np_report *report)
{
    if (!choose_state(load, master->state)) {
        np_report_warning(report, "no directory for the master's state: want state=, --state-dir "
                                  "or NP_STATE_DIR; nothing is kept");
        master->state[0] = '\0';
    } else if (!make_directories(master->state)) {
        np_report_warning(report, "state directory %s: %s", master->state,
                          np_posix_error_text(errno));
    } else {
        note_time(&load->process.tuning, master->state);
    }
}

void np_load_give_state(const struct np_load *load, uint32_t uid, uint32_t gid)
{
    static const char *const names[] = {"", "/nodepass.ini", "/nodepass.ini.backup"};
    char path[NP_MAX_PATH + 1];

    for (uint32_t i = 0; i < load->count; i++) {
        const struct np_settings *settings = &load->settings[i];
        if (settings->role != NP_ROLE_MASTER || settings->state[0] == '\0') {
            continue;
        }
        for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
            if (join(path, settings->state, names[n])) {
                (void)!lchown(path, uid, gid);
            }
        }
    }
}

/* ---- what the files hold --------------------------------------------------------------------- */

static int32_t read_roots(void *ctx, uint32_t offset, uint8_t *buf, uint32_t cap)
{
    ssize_t len = pread(*(const int *)ctx, buf, cap, (off_t)offset);
    return len < 0 ? NP_ERR_IO : (int32_t)len;
}

/* Tries ca= of a client, as its start will. */
static void check_bundle(const struct np_settings *settings, struct np_report *report)
{
    static struct np_root_entry entries[NP_MAX_ROOTS];
    int fd = open(settings->ca, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct np_roots roots = {
        .read = read_roots, .ctx = &fd, .entries = entries, .cap = NP_MAX_ROOTS};

    if (fd < 0) {
        np_report_error(report, "%s: %s", settings->ca, np_posix_error_text(errno));
        return;
    }
    enum np_err err = np_roots_index(&roots);
    if (err != NP_OK) {
        np_report_error(report, "%s: %s", settings->ca,
                        err == NP_ERR_NOT_FOUND ? "no certificate in it" : np_err_text(err));
    }
    close(fd);
}

void np_load_restrict(struct np_load *load, bool is_check, struct np_report *report)
{
    uint32_t kept = 0, masters = 0;

    for (uint32_t i = 0; i < load->count; i++) {
        struct np_settings *settings = &load->settings[i];

        if (NP_HAS_TLS && is_check && settings->role == NP_ROLE_CLIENT && settings->ca[0] != '\0') {
            check_bundle(settings, report);
        }
        if (NP_HAS_TLS && is_check && settings->role != NP_ROLE_CLIENT && settings->tls == 2) {
            check_pair(settings, report);
        }
        masters += settings->role == NP_ROLE_MASTER ? 1u : 0u;
        if (settings->role == NP_ROLE_MASTER && masters > 1) {
            np_report_error(report, "[instance %s] a second master: want one in a process",
                            settings->alias);
            continue;
        }
        if (settings->role == NP_ROLE_MASTER && !is_check) {
            prepare_state(load, settings, report);
        }
        load->settings[kept++] = *settings;
    }
    load->count = kept;
}

static void print_line(void *context, const char *text)
{
    (void)context;
    np_cli_print(STDOUT_FILENO, "%s\n", text);
}

void np_load_print(const struct np_load *load)
{
    np_listing_format_process(&load->process, print_line, NULL);
    for (uint32_t i = 0; i < load->count; i++) {
        np_cli_write(STDOUT_FILENO, "\n");
        np_listing_format_instance(&load->settings[i], print_line, NULL);
    }
}

void np_load_close(struct np_load *load)
{
    for (uint32_t i = 0; i < load->count; i++) {
        np_ct_wipe(load->settings[i].key, sizeof(load->settings[i].key));
    }
}
