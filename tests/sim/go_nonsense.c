/* SPDX-License-Identifier: BSD-3-Clause */
/* go_nonsense: a peer that has the key and says what makes no sense. */
#include "tests/sim/go.h"

static const struct go_conn *any_busy(const struct go *go)
{
    for (uint32_t i = 0; i < GO_CONNS; i++) {
        if (go->conns[i].state == GO_CONN_BUSY) {
            return &go->conns[i];
        }
    }
    return NULL;
}

static void send_noise(struct go *go, uint32_t len, bool has_end)
{
    uint8_t bytes[700];
    for (uint32_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)pick(go->scene, 256);
    }
    bytes[len - 1] = has_end ? '\n' : 'x';
    np_plat_tcp_send(go->plat, go->control, bytes, len);
}

void go_talk_nonsense(struct go *go)
{
    static const char *const texts[] = {"np://10.0.0.9:1/deadbeef#1",
                                        "np://[::1/12345678#1",
                                        "#q",
                                        "np://a:b/#2",
                                        "np://10.0.0.9:1/xyz#1",
                                        "#0",
                                        "?x=u#x",
                                        "np://1.2.3.4:5/00000000#2"};
    const struct go_conn *busy = any_busy(go);
    char text[64];
    uint32_t die = pick(go->scene, 12);
    if (die < 8) {
        go_send(go, texts[die]);
    } else if (die == 8) {
        send_noise(go, 700, false);
    } else if (die == 9 && busy != NULL) {
        snprintf(text, sizeof text, "np://10.0.0.9:1/%s#1", busy->id);
        go_send(go, text);
    } else if (die == 10) {
        for (uint32_t i = 0; i < 300; i++) {
            snprintf(text, sizeof text, "np://10.0.0.9:1/%08x#1", (unsigned)pick64(go->scene));
            go_send(go, text);
        }
    } else {
        send_noise(go, pick_between(go->scene, 2, 60), true);
        for (uint32_t i = 0; i < 12; i++) {
            go_send(go, texts[4]);
        }
    }
}
