/* SPDX-License-Identifier: BSD-3-Clause */
/* office_asks: what users say to the API, and what it may answer. */
#define _GNU_SOURCE

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/http/json.h"
#include "core/master/master.h"
#include "core/np_app_state.h"
#include "tests/sim/office.h"

#define NOBODY UINT32_MAX

/* How often each is asked, out of the sum, and the statuses it may get. */
static const struct {
    uint8_t weight;
    const char *statuses;
} asks[ASK_COUNT] = {
    [ASK_LIST] = {10, "200 401"},
    [ASK_ONE] = {6, "200 404 401"},
    [ASK_CREATE] = {18, "201 401 503 507"},
    [ASK_CREATE_BAD] = {4, "400 401"},
    [ASK_PATCH] = {30, "200 401 404 507"},
    [ASK_PUT] = {10, "200 401 404 409 507"},
    [ASK_DELETE] = {10, "204 401 404 507"},
    [ASK_INFO] = {3, "200 401"},
    [ASK_ALIAS] = {2, "200 401 507"},
    [ASK_TCPING] = {3, "200 401"},
    [ASK_METRICS] = {2, "200 401"},
    [ASK_EVENTS] = {4, "200 401"},
    [ASK_WRONG_KEY] = {1, "401"},
    [ASK_ROTATE] = {1, "200 401 507"},
    [ASK_NONSENSE] = {3, "400 405 501 505 431"},
    [ASK_HALF] = {1, "408"},
};

/* ---- asking ------------------------------------------------------------------------------- */

static uint8_t pick_ask(struct office *office)
{
    uint32_t sum = 0, at = 0;

    for (uint32_t i = 0; i < ASK_COUNT; i++) {
        sum += asks[i].weight;
    }
    uint32_t die = office_pick(office, sum);
    while (die >= asks[at].weight) {
        die -= asks[at++].weight;
    }
    if (at == ASK_WRONG_KEY && office->wrong_keys++ >= 3) {
        return ASK_LIST;
    }
    if (at == ASK_ROTATE && office->has_rotated) {
        return ASK_INFO;
    }
    return (uint8_t)at;
}

/* One that is there, as far as is known. */
static uint32_t pick_subject(struct office *office)
{
    for (uint32_t tries = 0; office->known_count > 0 && tries < 6; tries++) {
        uint32_t index = office_pick(office, office->known_count);
        if (!office->known[index].is_gone) {
            return index;
        }
    }
    return NOBODY;
}

static void make_url(struct office *office, char *out, size_t cap)
{
    static const char *const forms[] = {
        "client://10.0.0.1:%u/10.0.2.1:8080?mode=1",
        "client://10.0.0.1:%u/10.0.2.1:8080",
        "client://k3y@10.0.0.1:%u/10.0.2.1:8080?mode=2&min=2",
        "server://k3y@10.0.0.1:%u/10.0.0.1:%u?mode=1&max=4",
        "server://k3y@10.0.0.1:%u/10.0.2.1:8080?mode=2&max=4",
        "server://k3y@10.0.0.1:%u/nowhere.example:80?mode=2&max=4",
        "client://k3y@nowhere.example:%u/10.0.2.1:8080?mode=2&min=1",
    };
    uint32_t port = OFFICE_FIRST_PORT + office_pick(office, OFFICE_PORTS);
    const char *form = forms[office_pick(office, sizeof forms / sizeof forms[0])];
    size_t len = (size_t)snprintf(out, cap, form, port, port + OFFICE_PORTS);

    if (office_chance(office, 30) && strchr(form, '?') != NULL) {
        snprintf(out + len, cap - len, "&rate=%u", office_pick(office, 9));
    }
}

static void make_patch(struct office *office, char *out, size_t cap)
{
    static const char *const bodies[] = {
        "{\"action\":\"start\"}",
        "{\"action\":\"stop\"}",
        "{\"action\":\"restart\"}",
        "{\"action\":\"reset\"}",
        "{\"restart\":false}",
        "{\"restart\":true,\"action\":\"stop\"}",
        "{\"meta\":{\"peer\":{\"sid\":\"s\"},\"tags\":{\"a\":\"b<\",\"\\u00e4\":\"=&;#\"}}}",
        "{\"meta\":{\"tags\":{}}}",
        "{}",
    };

    if (office_chance(office, 20)) {
        snprintf(out, cap, "{\"alias\":\"name %u\"}", office_pick(office, 1000));
    } else {
        snprintf(out, cap, "%s", bodies[office_pick(office, sizeof bodies / sizeof bodies[0])]);
    }
}

struct draft {
    const char *method;
    char path[64], body[512];
};

static void make_draft(struct office_user *user, struct draft *draft)
{
    static const char *const paths[ASK_COUNT] = {
        [ASK_LIST] = "/instances",      [ASK_CREATE] = "/instances",
        [ASK_INFO] = "/info",           [ASK_ALIAS] = "/info",
        [ASK_METRICS] = "/metrics",     [ASK_EVENTS] = "/events",
        [ASK_WRONG_KEY] = "/instances", [ASK_CREATE_BAD] = "/instances",
        [ASK_TCPING] = "/tcping",       [ASK_ROTATE] = "/instances/********",
        [ASK_NONSENSE] = "/info",       [ASK_HALF] = "/info",
    };
    struct office *office = user->office;
    const char *id = user->subject == NOBODY ? "01234567" : office->known[user->subject].id;

    memset(draft, 0, sizeof *draft);
    draft->method = "GET";
    snprintf(draft->path, sizeof draft->path, "%s%s",
             paths[user->ask] != NULL ? paths[user->ask] : "/instances/",
             paths[user->ask] != NULL ? "" : id);
    switch (user->ask) {
    case ASK_CREATE:
    case ASK_PUT: {
        char url[200];
        make_url(office, url, sizeof url);
        draft->method = user->ask == ASK_PUT ? "PUT" : "POST";
        snprintf(draft->body, sizeof draft->body, "{\"url\":\"%s\",\"alias\":\"a%u\"}", url,
                 user->index);
        break;
    }
    case ASK_CREATE_BAD:
        draft->method = "POST";
        snprintf(draft->body, sizeof draft->body, "%s",
                 office_chance(office, 50) ? "{\"url\":\"client://:1/:2?mode=7\"}" : "{\"url\"");
        break;
    case ASK_PATCH:
        draft->method = "PATCH";
        make_patch(office, draft->body, sizeof draft->body);
        break;
    case ASK_DELETE:
        draft->method = "DELETE";
        break;
    case ASK_ALIAS:
        draft->method = "POST";
        snprintf(draft->body, sizeof draft->body, "{\"alias\":\"m%u\"}", office_pick(office, 50));
        break;
    case ASK_ROTATE:
        draft->method = "PATCH";
        snprintf(draft->body, sizeof draft->body, "{\"action\":\"restart\"}");
        office->has_rotated = true;
        break;
    case ASK_TCPING:
        snprintf(draft->path, sizeof draft->path, "/tcping?target=10.0.%u.1:8080",
                 office_chance(office, 50) ? 2u : 99u);
        break;
    default:
        break;
    }
}

void ask_make(struct office_user *user)
{
    struct office *office = user->office;
    struct draft draft;

    user->ask = pick_ask(office);
    user->subject = pick_subject(office);
    make_draft(user, &draft);
    const char *key =
        user->ask == ASK_WRONG_KEY || office->app == NULL ? "wrong" : office->app->master->key.text;
    user->request_len = (uint32_t)snprintf(
        user->request, sizeof user->request,
        "%s /api/v1%s HTTP/1.1\r\nHost: m\r\nX-API-Key: %s\r\nContent-Length: %u\r\n\r\n%s",
        draft.method, draft.path, key, (unsigned)strlen(draft.body), draft.body);
    if (user->ask == ASK_NONSENSE) { /* a byte of the head that can't stand there */
        user->request[office_pick(office, 24)] = (char)(1 + office_pick(office, 8));
    } else if (user->ask == ASK_HALF) {
        user->request_len = 1 + office_pick(office, 40);
    } else if (user->ask == ASK_DELETE && user->subject != NOBODY) {
        office->known[user->subject].may_be_gone = true;
    }
    np_sim_trace(office->sim, office->users_host, "user %u asks %s %s %s", user->index,
                 draft.method, draft.path, draft.body);
}

uint32_t ask_limit_ms(const struct office_user *user)
{
    return user->ask == ASK_TCPING ? 7000 : user->ask == ASK_HALF ? 13000 : 1500;
}

/* ---- answers ------------------------------------------------------------------------------ */

static const char *find(const char *text, uint32_t len, const char *what)
{
    return memmem(text, len, what, strlen(what));
}

/* Bytes of a body in chunks, 0 = not whole. */
static uint32_t chunked_len(const char *body, uint32_t len)
{
    uint32_t at = 0;

    for (;;) {
        const char *end = at < len ? find(body + at, len - at, "\r\n") : NULL;
        if (end == NULL) {
            return 0;
        }
        uint32_t size = (uint32_t)strtoul(body + at, NULL, 16);
        at = (uint32_t)(end - body) + 2 + size + 2;
        if (at > len) {
            return 0;
        }
        if (size == 0) {
            return at;
        }
    }
}

uint32_t ask_whole_len(const struct office_user *user)
{
    const char *end = find(user->answer, user->answer_len, "\r\n\r\n");

    if (end == NULL) {
        return 0;
    }
    uint32_t head = (uint32_t)(end - user->answer) + 4;
    const char *length = find(user->answer, head, "Content-Length: ");
    if (length != NULL) {
        uint32_t whole = head + (uint32_t)strtoul(length + 16, NULL, 10);
        return whole <= user->answer_len ? whole : 0;
    }
    if (find(user->answer, head, "Transfer-Encoding: chunked") != NULL) {
        uint32_t body = chunked_len(user->answer + head, user->answer_len - head);
        return body > 0 ? head + body : 0;
    }
    return memcmp(user->answer, "HTTP/1.1 204", 12) == 0 ? head : 0; /* else a stream */
}

static void learn(struct office_user *user, const char *body)
{
    struct office *office = user->office;

    if (office->known_count == OFFICE_KNOWN) {
        return;
    }
    struct office_known *known = &office->known[office->known_count++];
    memcpy(known->id, body + strlen("{\"id\":\""), OFFICE_ID_LEN);
    known->is_unsure = office->has_disk_faults;
}

static void check_json(struct office_user *user, const char *body, uint32_t len)
{
    struct np_json_value root;

    if (len == 0 || body[len - 1] != '\n' ||
        np_json_parse((struct np_slice){body, len}, &root) != NP_OK) {
        np_sim_fail(user->office->sim, "user %u: the answer to %d is no JSON line: %.*s",
                    user->index, user->ask, (int)(len < 80 ? len : 80), body);
    }
}

/* After a change that could not be saved the next one is refused. */
static void check_saved(struct office_user *user, const char *status)
{
    struct office *office = user->office;
    bool is_change = user->ask == ASK_CREATE || user->ask == ASK_PATCH || user->ask == ASK_PUT ||
                     user->ask == ASK_DELETE;

    if (is_change && status[0] == '2' && office->unsaved_us != 0 &&
        user->asked_us > office->unsaved_us) {
        np_sim_fail(office->sim, "user %u: a change is taken, the last one could not be saved",
                    user->index);
    }
    if (office->dead_us != 0 && user->asked_us > office->dead_us && strcmp(status, "201") == 0 &&
        office->unsaved_us == 0) {
        office->unsaved_us = np_sim_now_us(office->sim);
    }
}

void ask_take(struct office_user *user)
{
    struct office *office = user->office;
    char status[4] = {user->answer[9], user->answer[10], user->answer[11], '\0'};
    const char *body = find(user->answer, user->answer_len, "\r\n\r\n") + 4;
    uint32_t whole = ask_whole_len(user);
    uint32_t len = whole - (uint32_t)(body - user->answer);

    np_sim_trace(office->sim, office->users_host, "user %u is answered %s", user->index, status);
    if (strstr(asks[user->ask].statuses, status) == NULL) {
        np_sim_fail(office->sim, "user %u: ask %d is answered %s: %.*s", user->index, user->ask,
                    status, (int)(len < 80 ? len : 80), body);
        return;
    }
    if (strcmp(status, "507") == 0 && !office->had_disk_faults) {
        np_sim_fail(office->sim, "507 though the disk never failed");
    }
    if (find(user->answer, whole - len, "Content-Type: application/json") != NULL &&
        find(user->answer, whole - len, "chunked") == NULL) {
        check_json(user, body, len);
    }
    check_saved(user, status);
    if (strcmp(status, "201") == 0) {
        learn(user, body);
    }
    if (user->ask == ASK_DELETE && user->subject != NOBODY && strcmp(status, "204") == 0) {
        office->known[user->subject].is_gone = true;
        office->known[user->subject].is_unsure |= office->has_disk_faults;
    }
}

void ask_lose(struct office_user *user)
{
    np_sim_trace(user->office->sim, user->office->users_host, "user %u: ask %d is lost",
                 user->index, user->ask);
}
