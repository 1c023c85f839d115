/* SPDX-License-Identifier: BSD-3-Clause */
/* list: intrusive doubly linked list; a node knows whether it is in one. */
#ifndef NP_CORE_BASE_LIST_H
#define NP_CORE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct np_node {
    struct np_node *next, *prev; /* both NULL while in no list */
};
struct np_list {
    struct np_node head; /* sentinel */
    uint32_t count;
};

/* The object that embeds `node` as `member`; NULL stays NULL only through np_list_first. */
#define NP_CONTAINER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void np_list_init(struct np_list *list)
{
    list->head.next = list->head.prev = &list->head;
    list->count = 0;
}

static inline void np_list_insert_last(struct np_list *list, struct np_node *node)
{
    node->prev = list->head.prev;
    node->next = &list->head;
    list->head.prev->next = node;
    list->head.prev = node;
    list->count++;
}

/* Removing a node that is in no list does nothing. */
static inline void np_list_remove(struct np_list *list, struct np_node *node)
{
    if (node->next == NULL) {
        return;
    }
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
    list->count--;
}

static inline struct np_node *np_list_first(const struct np_list *list)
{
    return list->count == 0 ? NULL : list->head.next;
}

/* The node after `node`, or NULL at the end. */
static inline struct np_node *np_list_next(const struct np_list *list, const struct np_node *node)
{
    return node->next == &list->head ? NULL : node->next;
}

static inline bool np_list_has(const struct np_node *node)
{
    return node->next != NULL;
}

#endif
