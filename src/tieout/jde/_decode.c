/* The rows of an AIS page as Arrow columns: exact amounts from the digits, loud about the rest.
 *
 * rows(body, start, keys, names, kinds) -> (schema capsule, array capsule, end)
 *
 * `start` is the offset of the '[' of the rowset; `keys` are the member names (F0911_AA), `names` the
 * column names; `kinds` has one letter per column: t text, c code (blanks off at both ends),
 * a amount as decimal(38,4), q/i/h whole number of 64/32/16 bits, p number as printed, d date.
 * ValueError for unknown, missing or repeated members, lost decimals, overflow, bad text, no JSON.
 * The interpreter's lock is released while parsing. The same rules stand in decode.py, in Python;
 * tests/jde/test_decode.py holds both against each other.
 *
 * Bounds: a bytes object ends with a NUL that no JSON token contains, so single steps may look at
 * one byte more; everything wider compares with `end` first.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define COLUMNS_MAX 512
#define NAME_BYTES_MAX 128
#define DIGITS_MAX 38
#define DECIMALS 4
#define EXPONENT_MAX 1000000000LL

/* --- the Arrow C data interface, https://arrow.apache.org/docs/format/CDataInterface.html ------- */

struct ArrowSchema {
  const char *format, *name, *metadata;
  int64_t flags, n_children;
  struct ArrowSchema **children, *dictionary;
  void (*release)(struct ArrowSchema *);
  void *private_data;
};

struct ArrowArray {
  int64_t length, null_count, offset, n_buffers, n_children;
  const void **buffers;
  struct ArrowArray **children, *dictionary;
  void (*release)(struct ArrowArray *);
  void *private_data;
};

/* --- one column being filled ------------------------------------------------------------------- */

typedef struct {
  char kind;
  char name[NAME_BYTES_MAX], pattern[NAME_BYTES_MAX + 4]; /* pattern: "KEY": */
  int key_bytes, pattern_bytes, width, number;
  char *values;       /* `width` bytes per row; for text a 16-byte view */
  uint8_t *valid;     /* dates only: one bit per row */
  int64_t nulls;
  char *arena;        /* texts longer than 12 bytes */
  int64_t arena_bytes, arena_room;
  int64_t seen;       /* the last row that had this member, from 1 */
  char last_date[8];
  int32_t last_day;
} Column;

typedef struct {
  const char *begin, *end, *at;
  Column *columns;
  int count;
  int order[COLUMNS_MAX]; /* which column stood at this place in the row before */
  int64_t rows, room;
  char *scratch;          /* a text without its escapes */
  char error[256];
} Parser;

typedef struct { const char *at; int64_t bytes; } Text;

static int fail(Parser *p, const Column *column, const char *why) {
  if (column)
    snprintf(p->error, sizeof p->error, "row %lld, column %s: %s", (long long)p->rows + 1,
             column->name, why);
  else
    snprintf(p->error, sizeof p->error, "row %lld: %s", (long long)p->rows + 1, why);
  return 0;
}

static inline void skip_space(Parser *p) {
  while (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t') p->at++;
}

/* --- text -------------------------------------------------------------------------------------- */

static int utf8_ok(const unsigned char *s, const unsigned char *end) {
  while (s < end) {
    unsigned c = *s;
    if (c < 0x80) { s++; continue; }
    int more = c >= 0xC2 && c <= 0xDF ? 1 : (c & 0xF0) == 0xE0 ? 2 : c >= 0xF0 && c <= 0xF4 ? 3 : 0;
    if (!more || end - s <= more) return 0;
    for (int i = 1; i <= more; i++)
      if ((s[i] & 0xC0) != 0x80) return 0;
    if ((c == 0xE0 && s[1] < 0xA0) || (c == 0xED && s[1] > 0x9F) ||  /* overlong, surrogates */
        (c == 0xF0 && s[1] < 0x90) || (c == 0xF4 && s[1] > 0x8F)) return 0;
    s += more + 1;
  }
  return 1;
}

static int hex4(const char *s) { /* s[0..3] may run into the closing NUL: it is no hex digit */
  int value = 0;
  for (int i = 0; i < 4; i++) {
    char c = s[i];
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
              : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

static char *put_utf8(char *out, unsigned code) {
  if (code < 0x80) *out++ = (char)code;
  else if (code < 0x800) { *out++ = (char)(0xC0 | code >> 6); *out++ = (char)(0x80 | (code & 63)); }
  else if (code < 0x10000) {
    *out++ = (char)(0xE0 | code >> 12); *out++ = (char)(0x80 | (code >> 6 & 63));
    *out++ = (char)(0x80 | (code & 63));
  } else {
    *out++ = (char)(0xF0 | code >> 18); *out++ = (char)(0x80 | (code >> 12 & 63));
    *out++ = (char)(0x80 | (code >> 6 & 63)); *out++ = (char)(0x80 | (code & 63));
  }
  return out;
}

/* The bytes from `s` to `end` (inside the quotes) without escapes, in the scratch; 0 if malformed. */
static int unescape(Parser *p, const char *s, const char *end, Text *text) {
  if (!p->scratch && !(p->scratch = malloc((size_t)(p->end - p->begin) + 1))) return 0;
  char *out = p->scratch;
  while (s < end) {
    if (*s != '\\') { *out++ = *s++; continue; }
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *known = s[1] ? strchr(names, s[1]) : NULL;
    if (known) { *out++ = values[known - names]; s += 2; continue; }
    if (s[1] != 'u') return 0;
    int code = hex4(s + 2);
    if (code < 0) return 0;
    s += 6;
    if (code >= 0xDC00 && code <= 0xDFFF) return 0;
    if (code >= 0xD800 && code <= 0xDBFF) {
      int low = s[0] == '\\' && s[1] == 'u' ? hex4(s + 2) : -1;
      if (low < 0xDC00 || low > 0xDFFF) return 0;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      s += 6;
    }
    out = put_utf8(out, (unsigned)code);
  }
  text->at = p->scratch;
  text->bytes = out - p->scratch;
  return 1;
}

/* The JSON string at p->at, checked and without escapes. */
static int read_text(Parser *p, Text *text) {
  const char *s = p->at + 1, *from = s;
  int escaped = 0, high = 0;
  for (;;) {
#ifdef __SSE2__
    if (p->end - s >= 16) {
      __m128i v = _mm_loadu_si128((const __m128i *)s);
      __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v);
      __m128i stop = _mm_or_si128(low, _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                                                    _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
      unsigned stops = (unsigned)_mm_movemask_epi8(stop), highs = (unsigned)_mm_movemask_epi8(v);
      if (!stops) { high |= highs; s += 16; continue; }
      unsigned place = (unsigned)__builtin_ctz(stops);
      high |= highs & ((1u << place) - 1);
      s += place;
    }
#endif
    unsigned char c = (unsigned char)*s;
    if (c == '"') break;
    if (c < 0x20) return 0; /* the closing NUL too */
    if (c == '\\') { escaped = 1; if (!s[1]) return 0; s += 2; continue; }
    high |= c & 0x80;
    s++;
  }
  p->at = s + 1;
  if (high && !utf8_ok((const unsigned char *)from, (const unsigned char *)s)) return 0;
  if (escaped) return unescape(p, from, s, text);
  text->at = from;
  text->bytes = s - from;
  return 1;
}

static Text trimmed(Text text, int both_ends) {
  while (text.bytes && text.at[text.bytes - 1] == ' ') text.bytes--;
  while (both_ends && text.bytes && *text.at == ' ') { text.at++; text.bytes--; }
  return text;
}

/* Put a text into the column as a view: inside it up to 12 bytes, else in the column's arena. */
static int put_text(Parser *p, Column *column, Text text) {
  char *view = column->values + p->rows * 16;
  uint32_t bytes = (uint32_t)text.bytes;
  memset(view, 0, 16);
  memcpy(view, &bytes, 4);
  if (bytes <= 12) {
    for (uint32_t i = 0; i < bytes; i++) view[4 + i] = text.at[i];
    return 1;
  }
  if (column->arena_bytes + text.bytes > column->arena_room) {
    int64_t room = (column->arena_bytes + text.bytes) * 2;
    char *arena = realloc(column->arena, (size_t)room);
    if (!arena) return fail(p, column, "no memory");
    column->arena = arena;
    column->arena_room = room;
  }
  uint32_t offset = (uint32_t)column->arena_bytes;
  memcpy(column->arena + offset, text.at, (size_t)text.bytes);
  memcpy(view + 4, text.at, 4);
  memcpy(view + 12, &offset, 4); /* view[8..11], the buffer's number, is 0 */
  column->arena_bytes += text.bytes;
  return 1;
}

/* --- numbers ----------------------------------------------------------------------------------- */

typedef struct {
  const char *whole, *fraction; /* digits before and after the point */
  int64_t wholes, fractions, exponent;
  int negative;
} Number;

static inline int is_digit(char c) { return c >= '0' && c <= '9'; }

/* The JSON number at p->at, by its grammar. */
static int read_number(Parser *p, Number *n) {
  const char *s = p->at;
  n->negative = *s == '-';
  s += n->negative;
  n->whole = s;
  while (is_digit(*s)) s++;
  n->wholes = s - n->whole;
  if (!n->wholes || (*n->whole == '0' && n->wholes > 1)) return 0;
  n->fraction = s;
  n->fractions = n->exponent = 0;
  if (*s == '.') {
    n->fraction = ++s;
    while (is_digit(*s)) s++;
    n->fractions = s - n->fraction;
    if (!n->fractions) return 0;
  }
  if (*s == 'e' || *s == 'E') {
    int negative = *++s == '-';
    if (*s == '-' || *s == '+') s++;
    if (!is_digit(*s)) return 0;
    for (; is_digit(*s); s++)
      if (n->exponent < EXPONENT_MAX) n->exponent = n->exponent * 10 + (*s - '0');
    if (negative) n->exponent = -n->exponent;
  }
  p->at = s;
  return 1;
}

static inline char digit_at(const Number *n, int64_t i) {
  return i < n->wholes ? n->whole[i] : n->fraction[i - n->wholes];
}

/* The number times 10^decimals as an integer. 0: exact; 1: decimals lost; 2: too large. */
static int scaled(const Number *n, int decimals, __int128 *value) {
  static const uint64_t power[] = {1, 10, 100, 1000, 10000};
  int64_t first = 0, last = n->wholes + n->fractions;
  if (!n->exponent && last <= 14 && n->fractions <= decimals) { /* nearly every amount */
    uint64_t sum = 0;
    for (int64_t i = 0; i < n->wholes; i++) sum = sum * 10 + (uint64_t)(n->whole[i] - '0');
    for (int64_t i = 0; i < n->fractions; i++) sum = sum * 10 + (uint64_t)(n->fraction[i] - '0');
    sum *= power[decimals - n->fractions];
    *value = n->negative ? -(__int128)sum : (__int128)sum;
    return 0;
  }
  int64_t exponent = n->exponent - n->fractions;
  while (last > first && digit_at(n, last - 1) == '0') { last--; exponent++; }
  while (first < last && digit_at(n, first) == '0') first++;
  *value = 0;
  if (first == last) return 0;
  if (exponent < -decimals) return 1;
  if (last - first + exponent + decimals > DIGITS_MAX) return 2;
  __int128 sum = 0;
  for (int64_t i = first; i < last; i++) sum = sum * 10 + (digit_at(n, i) - '0');
  for (int64_t i = exponent + decimals; i > 0; i--) sum *= 10;
  *value = n->negative ? -sum : sum;
  return 0;
}

static int put_number(Parser *p, Column *column) {
  Number number;
  const char *from = p->at;
  if (!read_number(p, &number)) return fail(p, column, "not a number");
  if (column->kind == 'p') return put_text(p, column, (Text){from, p->at - from});
  __int128 value;
  int lost = scaled(&number, column->kind == 'a' ? DECIMALS : 0, &value);
  if (lost == 1)
    return fail(p, column, column->kind == 'a' ? "more than 4 decimals" : "not a whole number");
  if (lost == 2) return fail(p, column, "too large");
  char *to = column->values + p->rows * column->width;
  if (column->kind == 'a') { memcpy(to, &value, 16); return 1; }
  int64_t whole = (int64_t)value;
  int64_t most = column->width == 2 ? INT16_MAX : column->width == 4 ? INT32_MAX : INT64_MAX;
  if (value > most || value < -(__int128)most - 1) return fail(p, column, "too large");
  memcpy(to, &whole, (size_t)column->width); /* the low bytes come first on every machine we build on */
  return 1;
}

/* --- dates ------------------------------------------------------------------------------------- */

static int64_t days_since_1970(int year, int month, int day) { /* Howard Hinnant's days_from_civil */
  year -= month <= 2;
  int era = year / 400, of_era = year - era * 400;
  int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097LL + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int put_date(Parser *p, Column *column, Text text) {
  int32_t *to = (int32_t *)(column->values + p->rows * 4);
  text = trimmed(text, 1);
  *to = 0;
  if (!text.bytes) { column->nulls++; return 1; }
  if (text.bytes != 8) return fail(p, column, "not a date of the form yyyyMMdd");
  column->valid[p->rows >> 3] |= (uint8_t)(1 << (p->rows & 7));
  if (!memcmp(text.at, column->last_date, 8)) { *to = column->last_day; return 1; }
  int n[8];
  for (int i = 0; i < 8; i++) {
    if (!is_digit(text.at[i])) return fail(p, column, "not a date of the form yyyyMMdd");
    n[i] = text.at[i] - '0';
  }
  int year = n[0] * 1000 + n[1] * 100 + n[2] * 10 + n[3], month = n[4] * 10 + n[5];
  int day = n[6] * 10 + n[7];
  static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  if (year < 1900 || year > 2999 || month < 1 || month > 12 || day < 1 ||
      day > lengths[month - 1] + (leap && month == 2))
    return fail(p, column, "not a day of the calendar");
  *to = (int32_t)days_since_1970(year, month, day);
  memcpy(column->last_date, text.at, 8);
  column->last_day = *to;
  return 1;
}

/* --- rows -------------------------------------------------------------------------------------- */

static int put_value(Parser *p, Column *column) {
  if (column->number) return put_number(p, column);
  Text text = {"", 0};
  if (*p->at == '"') {
    if (!read_text(p, &text)) return fail(p, column, "not a text of JSON in UTF-8");
  } else if (p->end - p->at >= 4 && !memcmp(p->at, "null", 4)) {
    p->at += 4;
  } else {
    return fail(p, column, "not a text");
  }
  if (column->kind == 'd') return put_date(p, column, text);
  return put_text(p, column, trimmed(text, column->kind == 'c'));
}

/* The column whose name stands at p->at; the name is taken, and the colon. */
static Column *read_name(Parser *p, int place) {
  if (place < p->count) {
    Column *guess = &p->columns[p->order[place]];
    if (p->end - p->at >= guess->pattern_bytes &&
        !memcmp(p->at, guess->pattern, (size_t)guess->pattern_bytes)) {
      p->at += guess->pattern_bytes;
      return guess;
    }
  }
  Text name;
  if (*p->at != '"' || !read_text(p, &name)) { fail(p, NULL, "a member has no name"); return NULL; }
  for (int i = 0; i < p->count; i++) {
    Column *column = &p->columns[i];
    if (name.bytes != column->key_bytes || memcmp(name.at, column->pattern + 1, (size_t)name.bytes))
      continue;
    skip_space(p);
    if (*p->at != ':') { fail(p, column, "no colon after the name"); return NULL; }
    p->at++;
    if (place < p->count) p->order[place] = i;
    return column;
  }
  fail(p, NULL, "a column that was not asked for");
  return NULL;
}

static int read_row(Parser *p) {
  if (*p->at != '{') return fail(p, NULL, "not an object");
  p->at++;
  for (int place = 0;; place++) {
    skip_space(p);
    Column *column = read_name(p, place);
    if (!column) return 0;
    if (column->seen == p->rows + 1) return fail(p, column, "given twice");
    column->seen = p->rows + 1;
    skip_space(p);
    if (!put_value(p, column)) return 0;
    skip_space(p);
    if (*p->at == ',') { p->at++; continue; }
    if (*p->at != '}') return fail(p, column, "neither comma nor end after the value");
    p->at++;
    if (place + 1 != p->count) return fail(p, NULL, "a column is missing");
    return 1;
  }
}

static int read_rows(Parser *p) {
  p->at++; /* the '[' the caller found */
  skip_space(p);
  if (*p->at == ']') { p->at++; return 1; }
  for (;;) {
    if (p->rows >= p->room) return fail(p, NULL, "cut off");
    skip_space(p);
    if (!read_row(p)) return 0;
    p->rows++;
    skip_space(p);
    if (*p->at == ']') { p->at++; return 1; }
    if (*p->at != ',') return fail(p, NULL, "neither comma nor end after the row");
    p->at++;
  }
}

/* --- handing over ------------------------------------------------------------------------------ */

static void free_columns(Column *columns, int count) {
  for (int i = 0; columns && i < count; i++) {
    free(columns[i].values);
    free(columns[i].valid);
    free(columns[i].arena);
  }
  free(columns);
}

typedef struct { const void *buffers[4]; int64_t arena_bytes; void *owned[3]; } Held;

static void release_child(struct ArrowArray *array) {
  Held *held = array->private_data;
  for (int i = 0; i < 3; i++) free(held->owned[i]);
  free(held);
  array->release = NULL;
}

static void release_array(struct ArrowArray *array) {
  for (int64_t i = 0; i < array->n_children; i++) {
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
    free(array->children[i]);
  }
  free(array->children);
  free(array->buffers);
  array->release = NULL;
}

static void release_field(struct ArrowSchema *schema) {
  free(schema->private_data); /* the name */
  schema->release = NULL;
}

static void release_schema(struct ArrowSchema *schema) {
  for (int64_t i = 0; i < schema->n_children; i++) {
    if (schema->children[i]->release) schema->children[i]->release(schema->children[i]);
    free(schema->children[i]);
  }
  free(schema->children);
  schema->release = NULL;
}

static void free_array_capsule(PyObject *capsule) {
  struct ArrowArray *array = PyCapsule_GetPointer(capsule, "arrow_array");
  if (array->release) array->release(array);
  free(array);
}

static void free_schema_capsule(PyObject *capsule) {
  struct ArrowSchema *schema = PyCapsule_GetPointer(capsule, "arrow_schema");
  if (schema->release) schema->release(schema);
  free(schema);
}

static const char *format_of(char kind) {
  switch (kind) {
    case 'a': return "d:38,4";
    case 'q': return "l";
    case 'i': return "i";
    case 'h': return "s";
    case 'd': return "tdD";
    default: return "vu";
  }
}

/* A field and an array for one column; the array takes over the column's memory. */
static int hand_over(Column *column, int64_t rows, struct ArrowSchema *field, struct ArrowArray *array) {
  Held *held = calloc(1, sizeof *held);
  char *name = malloc(strlen(column->name) + 1);
  if (!held || !name) { free(held); free(name); return 0; }
  strcpy(name, column->name);
  *field = (struct ArrowSchema){.format = format_of(column->kind), .name = name,
                                .flags = 2 /* nullable */, .release = release_field,
                                .private_data = name};
  int text = field->format[0] == 'v';
  char *fitting = rows ? realloc(column->values, (size_t)(rows * column->width)) : NULL;
  if (fitting) column->values = fitting; /* room was made for shorter rows than came */
  held->buffers[0] = column->nulls ? column->valid : NULL;
  held->buffers[1] = column->values;
  held->buffers[2] = column->arena_bytes ? (void *)column->arena : (void *)&held->arena_bytes;
  held->buffers[3] = &held->arena_bytes; /* the sizes of the text buffers, which come last */
  held->arena_bytes = column->arena_bytes;
  held->owned[0] = column->values;
  held->owned[1] = column->valid;
  held->owned[2] = column->arena;
  column->values = column->arena = NULL;
  column->valid = NULL;
  *array = (struct ArrowArray){.length = rows, .null_count = column->nulls,
                               .n_buffers = !text ? 2 : held->arena_bytes ? 4 : 3,
                               .buffers = held->buffers, .release = release_child,
                               .private_data = held};
  return 1;
}

static PyObject *as_capsules(Parser *p) {
  struct ArrowSchema *schema = calloc(1, sizeof *schema);
  struct ArrowArray *array = calloc(1, sizeof *array);
  PyObject *schema_capsule = schema ? PyCapsule_New(schema, "arrow_schema", free_schema_capsule) : NULL;
  PyObject *array_capsule = array ? PyCapsule_New(array, "arrow_array", free_array_capsule) : NULL;
  if (!schema_capsule || !array_capsule) goto lost;
  *schema = (struct ArrowSchema){.format = "+s", .name = "", .release = release_schema};
  *array = (struct ArrowArray){.length = p->rows, .n_buffers = 1, .release = release_array};
  schema->children = calloc((size_t)p->count, sizeof *schema->children);
  array->children = calloc((size_t)p->count, sizeof *array->children);
  array->buffers = calloc(1, sizeof *array->buffers);
  if (!schema->children || !array->children || !array->buffers) goto lost;
  for (int i = 0; i < p->count; i++) {
    struct ArrowSchema *field = calloc(1, sizeof *field);
    struct ArrowArray *child = calloc(1, sizeof *child);
    if (!field || !child || !hand_over(&p->columns[i], p->rows, field, child)) {
      free(field);
      free(child);
      goto lost;
    }
    schema->children[schema->n_children++] = field;
    array->children[array->n_children++] = child;
  }
  return Py_BuildValue("(NNn)", schema_capsule, array_capsule, (Py_ssize_t)(p->at - p->begin));
lost:
  if (!schema_capsule) free(schema);
  if (!array_capsule) free(array);
  Py_XDECREF(schema_capsule);
  Py_XDECREF(array_capsule);
  return PyErr_NoMemory();
}

/* Fill `column` from the caller's key, name and kind, with room for `room` rows. */
static int prepare(Column *column, PyObject *key, PyObject *name, char kind) {
  if (!PyBytes_Check(key) || !PyBytes_Check(name) || PyBytes_GET_SIZE(key) >= NAME_BYTES_MAX ||
      PyBytes_GET_SIZE(name) >= NAME_BYTES_MAX || !kind || !strchr("tcaqihpd", kind)) {
    PyErr_SetString(PyExc_TypeError, "keys and names are short bytes, kinds one of tcaqihpd");
    return 0;
  }
  column->kind = kind;
  column->number = strchr("aqihp", kind) != NULL;
  column->width = kind == 'q' ? 8 : kind == 'i' || kind == 'd' ? 4 : kind == 'h' ? 2 : 16;
  column->key_bytes = (int)PyBytes_GET_SIZE(key);
  strcpy(column->name, PyBytes_AS_STRING(name));
  column->pattern_bytes =
      snprintf(column->pattern, sizeof column->pattern, "\"%s\":", PyBytes_AS_STRING(key));
  return 1;
}

static int make_room(Parser *p) {
  int64_t least = 2; /* bytes of a row: braces, names, one character per value */
  for (int i = 0; i < p->count; i++) least += p->columns[i].pattern_bytes + 1;
  p->room = (p->end - p->at) / least + 1;
  for (int i = 0; i < p->count; i++) {
    Column *column = &p->columns[i];
    p->order[i] = i;
    column->values = malloc((size_t)(p->room * column->width));
    if (column->kind == 'd') column->valid = calloc((size_t)p->room / 8 + 1, 1);
    if (!column->values || (column->kind == 'd' && !column->valid)) return 0;
  }
  return 1;
}

static PyObject *rows(PyObject *self, PyObject *args) {
  (void)self;
  PyObject *body, *keys, *names;
  Py_ssize_t start, kind_count;
  const char *kinds;
  if (!PyArg_ParseTuple(args, "SnO!O!s#", &body, &start, &PyTuple_Type, &keys, &PyTuple_Type,
                        &names, &kinds, &kind_count))
    return NULL;
  Py_ssize_t count = PyTuple_GET_SIZE(keys), bytes = PyBytes_GET_SIZE(body);
  if (count < 1 || count > COLUMNS_MAX || PyTuple_GET_SIZE(names) != count || kind_count != count)
    return PyErr_Format(PyExc_TypeError, "1 to %d keys, as many names and kinds", COLUMNS_MAX);
  if (start < 0 || start >= bytes || PyBytes_AS_STRING(body)[start] != '[' || bytes > INT32_MAX)
    return PyErr_Format(PyExc_ValueError, "no rowset at this place");
  Parser parser = {.begin = PyBytes_AS_STRING(body), .count = (int)count};
  parser.at = parser.begin + start;
  parser.end = parser.begin + bytes;
  parser.columns = calloc((size_t)count, sizeof *parser.columns);
  if (!parser.columns) return PyErr_NoMemory();
  PyObject *result = NULL;
  for (int i = 0; i < count; i++)
    if (!prepare(&parser.columns[i], PyTuple_GET_ITEM(keys, i), PyTuple_GET_ITEM(names, i), kinds[i]))
      goto done;
  if (!make_room(&parser)) { PyErr_NoMemory(); goto done; }
  int read;
  Py_BEGIN_ALLOW_THREADS
  read = read_rows(&parser);
  Py_END_ALLOW_THREADS
  if (read) result = as_capsules(&parser);
  else PyErr_SetString(PyExc_ValueError, parser.error);
done:
  free(parser.scratch);
  free_columns(parser.columns, (int)count);
  return result;
}

static PyMethodDef methods[] = {
    {"rows", rows, METH_VARARGS, "rows(body, start, keys, names, kinds) -> (schema, array, end)"},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_decode", "The rows of an AIS page.", -1,
                                    methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__decode(void) { return PyModule_Create(&module); }
