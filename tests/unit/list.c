/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/list.h"

#include <string.h>

#include "tests/unit/np_test.h"

#define ITEMS 16u

struct item {
    int before;
    struct np_node node;
    uint32_t number;
};

/* The list holds exactly `numbers`, in order, forward and backward. */
static void check_order(const struct np_list *list, const uint32_t *numbers, uint32_t count)
{
    const struct np_node *node = np_list_first(list);
    const struct np_node *last = &list->head;

    NP_CHECK_INT(list->count, count);
    for (uint32_t i = 0; i < count && node != NULL; i++) {
        NP_CHECK_INT(NP_CONTAINER(node, struct item, node)->number, numbers[i]);
        NP_CHECK(node->prev == last);
        last = node;
        node = np_list_next(list, node);
    }
    NP_CHECK(node == NULL);
    NP_CHECK(list->head.prev == last);
}

NP_TEST(list, empty)
{
    struct np_list list;
    struct item item = {0};

    np_list_init(&list);
    NP_CHECK(np_list_first(&list) == NULL);
    np_list_remove(&list, &item.node); /* is in none */
    NP_CHECK_INT(list.count, 0);
    NP_CHECK(!np_list_has(&item.node));
}

NP_TEST(list, remove_twice_and_insert_again)
{
    struct np_list list;
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};

    np_list_init(&list);
    for (uint32_t i = 0; i < 3; i++) {
        np_list_insert_last(&list, &items[i].node);
        NP_CHECK(np_list_has(&items[i].node));
    }
    check_order(&list, (uint32_t[]){0, 1, 2}, 3);
    np_list_remove(&list, &items[1].node);
    np_list_remove(&list, &items[1].node);
    check_order(&list, (uint32_t[]){0, 2}, 2);
    NP_CHECK(!np_list_has(&items[1].node));
    np_list_insert_last(&list, &items[1].node);
    check_order(&list, (uint32_t[]){0, 2, 1}, 3);
    np_list_remove(&list, &items[0].node);
    np_list_remove(&list, &items[1].node);
    np_list_remove(&list, &items[2].node);
    check_order(&list, NULL, 0);
}

/* Against an array that does the same. */
NP_TEST(list, random_operations)
{
    struct np_list list;
    struct item items[ITEMS];
    uint32_t model[ITEMS];
    uint32_t count = 0;
    uint64_t seed = 1;

    memset(items, 0, sizeof items);
    np_list_init(&list);
    for (uint32_t round = 0; round < 20000; round++) {
        uint32_t number = np_test_below(&seed, ITEMS);
        struct item *item = &items[number];
        item->number = number;
        if (!np_list_has(&item->node)) {
            np_list_insert_last(&list, &item->node);
            model[count++] = number;
        } else {
            uint32_t at = 0;
            while (model[at] != number) {
                at++;
            }
            np_list_remove(&list, &item->node);
            memmove(model + at, model + at + 1, (count - at - 1) * sizeof model[0]);
            count--;
        }
        check_order(&list, model, count);
    }
}
