/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/fmt.h"

#include <string.h>

#define DIGITS_CAP 20u /* decimal digits of UINT64_MAX */

struct writer {
    char *out;
    uint32_t cap; /* room without the NUL */
    uint32_t len;
    va_list args;
};

/* One directive: %[0][width][.*][l|ll]conversion */
struct directive {
    bool zero_pad;
    uint32_t width;
    uint32_t precision; /* most bytes of %s */
    uint32_t longs;
    char conversion;
};

static void put(struct writer *writer, char c)
{
    if (writer->len < writer->cap) {
        writer->out[writer->len++] = c;
    }
}

static void put_text(struct writer *writer, const struct directive *directive, const char *text,
                     uint32_t len)
{
    for (uint32_t i = len; i < directive->width; i++) {
        put(writer, ' ');
    }
    for (uint32_t i = 0; i < len; i++) {
        put(writer, text[i]);
    }
}

static void put_number(struct writer *writer, const struct directive *directive, uint64_t value,
                       uint32_t base, bool is_negative)
{
    char digits[DIGITS_CAP];
    uint32_t count = 0;
    uint32_t width = directive->width;
    uint32_t len;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    len = count + (is_negative ? 1u : 0u);
    for (; !directive->zero_pad && len < width; len++) {
        put(writer, ' ');
    }
    if (is_negative) {
        put(writer, '-');
    }
    for (; len < width; len++) {
        put(writer, '0');
    }
    while (count > 0) {
        put(writer, digits[--count]);
    }
}

static void put_signed(struct writer *writer, const struct directive *directive)
{
    int64_t value;

    if (directive->longs == 0) {
        value = va_arg(writer->args, int);
    } else if (directive->longs == 1) {
        value = va_arg(writer->args, long);
    } else {
        value = va_arg(writer->args, long long);
    }
    put_number(writer, directive, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, value < 0);
}

static void put_unsigned(struct writer *writer, const struct directive *directive, uint32_t base)
{
    uint64_t value;

    if (directive->longs == 0) {
        value = va_arg(writer->args, unsigned);
    } else if (directive->longs == 1) {
        value = va_arg(writer->args, unsigned long);
    } else {
        value = va_arg(writer->args, unsigned long long);
    }
    put_number(writer, directive, value, base, false);
}

static void put_string(struct writer *writer, const struct directive *directive)
{
    const char *text = va_arg(writer->args, const char *);
    uint32_t len = 0;

    if (text == NULL) {
        text = "(null)";
    }
    while (len < directive->precision && text[len] != 0) { /* with %.*s there may be no NUL */
        len++;
    }
    put_text(writer, directive, text, len);
}

static void put_directive(struct writer *writer, const struct directive *directive)
{
    char c;

    switch (directive->conversion) {
    case 's':
        put_string(writer, directive);
        return;
    case 'd':
        put_signed(writer, directive);
        return;
    case 'u':
        put_unsigned(writer, directive, 10);
        return;
    case 'x':
        put_unsigned(writer, directive, 16);
        return;
    case 'c':
        c = (char)va_arg(writer->args, int);
        put_text(writer, directive, &c, 1);
        return;
    default: /* %% and whatever is not supported: the letter itself */
        put(writer, directive->conversion);
        return;
    }
}

/* Parses what follows '%'; returns the position of the conversion letter. */
static const char *parse_directive(struct writer *writer, struct directive *directive,
                                   const char *format)
{
    memset(directive, 0, sizeof *directive);
    directive->precision = UINT32_MAX;
    if (*format == '0') {
        directive->zero_pad = true;
        format++;
    }
    for (; *format >= '0' && *format <= '9'; format++) {
        directive->width = directive->width * 10 + (uint32_t)(*format - '0');
    }
    if (format[0] == '.' && format[1] == '*') {
        int precision = va_arg(writer->args, int);
        directive->precision = precision < 0 ? UINT32_MAX : (uint32_t)precision;
        format += 2;
    }
    for (; *format == 'l'; format++) {
        directive->longs++;
    }
    directive->conversion = *format;
    return format;
}

uint32_t np_vfmt(char *out, uint32_t cap, const char *format, va_list args)
{
    struct writer writer = {.out = out, .cap = cap - 1};
    struct directive directive;

    va_copy(writer.args, args);
    for (; *format != 0; format++) {
        if (*format != '%') {
            put(&writer, *format);
            continue;
        }
        format = parse_directive(&writer, &directive, format + 1);
        if (directive.conversion == 0) { /* a lone '%' at the end */
            break;
        }
        put_directive(&writer, &directive);
    }
    va_end(writer.args);
    out[writer.len] = 0;
    return writer.len;
}

uint32_t np_fmt(char *out, uint32_t cap, const char *format, ...)
{
    va_list args;
    uint32_t len;

    va_start(args, format);
    len = np_vfmt(out, cap, format, args);
    va_end(args);
    return len;
}

void np_fmt_hex(char *out, const uint8_t *bytes, uint32_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (uint32_t i = 0; i < len; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15u];
    }
    *out = '\0';
}

bool np_parse_uint(const char *text, uint32_t len, uint64_t max, uint64_t *value)
{
    uint64_t number = 0;

    if (len == 0 || len > DIGITS_CAP) {
        return false;
    }
    for (uint32_t i = 0; i < len; i++) {
        uint64_t digit = (uint64_t)(uint8_t)text[i] - '0';
        if (digit > 9 || number > max / 10 || (number == max / 10 && digit > max % 10)) {
            return false;
        }
        number = number * 10 + digit;
    }
    *value = number;
    return true;
}

const char *np_text_find(const char *text, const char *part)
{
    for (;; text++) {
        size_t len = 0;
        while (part[len] != '\0' && text[len] == part[len]) {
            len++;
        }
        if (part[len] == '\0') {
            return text;
        }
        if (*text == '\0') {
            return NULL;
        }
    }
}
