import type { RecordWalk } from "../../domain/log/record-walk.ts"
import { compileC } from "./compile.ts"
import { checkRange, int32Max } from "./range.ts"

/**
 * Three ways through the records, each for what the one before does not know:
 * - `same`: records that differ from the one before in their contents and their number alone. The fields before the value are compared as one word, 1 ns a record.
 * - `plain`: records of any lengths and times without headers, whose key is short and whose integers have the usual few bytes. Each field is read, 3 to 5 ns a record.
 * - `one`: every record, 18 ns. It alone says that a record is wrong; the other two only stop.
 *
 * The first two are in assembly because Bun's compiler (tcc) keeps every variable in memory: the same in C takes four times as long.
 *
 * A length is compared with the bytes that are left before it moves a pointer: it is below 2^31, and pointers have 64 bits, so a sum of both does not overflow. `one` compares before
 * every byte that it reads. `plain` runs while more than SAFE bytes are left, of which a record's fields without the value take fewer: length 2, attributes 1, time 3, number 3,
 * length of the key 1, key 63, length of the value 2. `same` runs over as many records as there are bytes for. Nothing is written but what is on the stack and `found`.
 */
const source = String.raw`
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

enum { RECORD_MIN = 6, SAFE = 80, ONE_BYTE = 64, TWO_BYTES = 8192, THREE_BYTES = 1048576, RUN_MIN = 16, PLAIN_MAX = 128 };

/* The assembly knows the order of the fields: 8 bytes each. */
struct Walk {
  const u8 *p, *safe, *end;
  u64 number, left;
  i64 min, max;
  u64 needsKeys;
  /* Of the last record that "one" read. */
  const u8 *start, *numberAt, *keyAt, *valueAt, *headersAt;
  u32 index, count;
};
struct Run {
  const u8 *p;
  u64 left, word, mask, step, fix, valueAt, size, valueMask, value;
};

/* The further bytes of a varint of five bytes at most: 0 where it is not within the bytes or not within 32 bits. */
static const u8 *more(const u8 *p, const u8 *end, u32 *value) {
  u32 x = *value & 127, shift, byte;
  for (shift = 7; shift < 35; shift += 7) {
    if (p == end) return 0;
    byte = *p++;
    if (shift == 28 && byte > 15) return 0;
    x |= (byte & 127) << shift;
    if (byte < 128) {
      *value = x;
      return p;
    }
  }
  return 0;
}
/* The same for a time: 0 where it is no safe integer. */
static const u8 *moreLong(const u8 *p, const u8 *end, u64 *value) {
  u64 x = *value & 127, byte;
  u32 shift;
  for (shift = 7; shift < 56; shift += 7) {
    if (p == end) return 0;
    byte = *p++;
    x |= (byte & 127) << shift;
    if (byte < 128) {
      *value = x;
      return x >> 1 < 9007199254740991ULL ? p : 0;
    }
  }
  return 0;
}

#define VARINT(x) \
  if (p == end) return 0; \
  x = *p++; \
  if (x > 127 && !(p = more(p, end, &x))) return 0;
/* A length, and its bytes; 1 (-1 in zigzag) is null. */
#define BYTES(x) \
  VARINT(x) \
  if (x & 1) { \
    if (x != 1) return 0; \
  } else { \
    if ((x >> 1) > end - p) return 0; \
    p += x >> 1; \
  }

static int one(struct Walk *w) {
  const u8 *p = w->p, *end = w->end;
  u32 x, headers;
  u64 time;
  i64 delta;
  w->start = p;
  VARINT(x)
  if (x & 1) return 0;
  x >>= 1;
  if (x < RECORD_MIN || x > end - p) return 0;
  end = p + x;
  /* Attributes, and a byte of the time: the record has six. */
  p++;
  time = *p++;
  if (time > 127 && !(p = moreLong(p, end, &time))) return 0;
  /* Twice the delta, as "plain" has it. */
  delta = time & 1 ? ~(i64)time : (i64)time;
  if (delta < w->min) w->min = delta;
  if (delta > w->max) w->max = delta;
  w->numberAt = p;
  VARINT(x)
  if (x != w->index * 2) return 0;
  w->keyAt = p;
  BYTES(x)
  if (x == 1 && w->needsKeys) return 0;
  w->valueAt = p;
  BYTES(x)
  w->headersAt = p;
  VARINT(headers)
  if (headers & 1) return 0;
  headers >>= 1;
  if (headers > (end - p) / 2) return 0;
  for (; headers > 0; headers--) {
    VARINT(x)
    if (x & 1) return 0;
    x >>= 1;
    if (x > end - p) return 0;
    p += x;
    BYTES(x)
  }
  if (p != end) return 0;
  w->p = p;
  w->index++;
  return 1;
}

/* Up to which index, and with which bits that are always set, the number of a record is written in as many bytes as that of "index". */
static u32 sameWidth(u32 index, u32 count, u64 *fix) {
  u32 until = index < ONE_BYTE ? ONE_BYTE : index < TWO_BYTES ? TWO_BYTES : THREE_BYTES;
  *fix = index < ONE_BYTE ? 0 : index < TWO_BYTES ? 0x80 : 0x8080;
  return index >= THREE_BYTES ? index : count < until ? count : until;
}

static void sameRun(struct Run *run) {
  __asm__ volatile(
    "push %%rbx; push %%r12; push %%rax;"
    "mov (%%rax),%%rsi; mov 8(%%rax),%%rdx; mov 16(%%rax),%%r8; mov 24(%%rax),%%r9; mov 32(%%rax),%%r10; mov 40(%%rax),%%r11;"
    "mov 48(%%rax),%%rcx; mov 56(%%rax),%%rdi; mov 64(%%rax),%%rbx; mov 72(%%rax),%%r12;"
    "1: mov (%%rsi),%%rax; and %%r9,%%rax; cmp %%r8,%%rax; jne 9f;"
    "movzwl (%%rsi,%%rcx),%%eax; and %%ebx,%%eax; cmp %%r12d,%%eax; jne 9f;"
    "cmpb $0,-1(%%rsi,%%rdi); jne 9f;"
    "add %%rdi,%%rsi; add %%r10,%%r8; or %%r11,%%r8; sub $1,%%rdx; jnz 1b;"
    "9: pop %%rax; mov %%rsi,(%%rax); mov %%rdx,8(%%rax); pop %%r12; pop %%rbx"
    : : "a"(run) : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
}

/* Continues over records of the shape that "one" has read, and returns how many they were. */
static u32 same(struct Walk *w) {
  struct Run run;
  u64 left = w->end - w->p, most;
  u32 wide = w->keyAt - w->start + 1, bytes, until = sameWidth(w->index - 1, w->count, &run.fix);
  bytes = *w->valueAt > 127 ? 2 : 1;
  if (left <= 8 || until <= w->index || wide > 8 || w->p - w->headersAt != 1 || *w->headersAt != 0) return 0;
  if (*w->keyAt > 127 || (bytes == 2 && w->valueAt[1] > 127)) return 0;
  run.size = w->p - w->start;
  most = (left - 8) / run.size;
  if (most > until - w->index) most = until - w->index;
  if (most == 0) return 0;
  run.p = w->p;
  run.left = most;
  run.mask = wide == 8 ? ~0ULL : (1ULL << 8 * wide) - 1;
  run.step = 2ULL << 8 * (w->numberAt - w->start);
  run.fix <<= 8 * (w->numberAt - w->start);
  run.word = ((*(const u64 *)w->start & run.mask) + run.step) | run.fix;
  run.valueAt = w->valueAt - w->start;
  run.valueMask = bytes == 2 ? 0xffff : 0xff;
  run.value = *(const u16 *)w->valueAt & run.valueMask;
  sameRun(&run);
  w->p = run.p;
  most -= run.left;
  w->index += most;
  return most;
}

/* %rsi: the record, %r9: its time, then further by what was longer than one byte, %r8: its end, %r13: size of the record before, from which the processor guesses this one's end. */
#define PLAIN(name, NUMBER, NEXT, KEY, VALUE, VALUE2, BEHIND) \
static void name(struct Walk *w) { \
  __asm__ volatile( \
    "push %%rbx; push %%r12; push %%r13; push %%r14; push %%rax;" \
    "mov (%%rax),%%rsi; mov 8(%%rax),%%rdi; mov 16(%%rax),%%r14; mov 24(%%rax),%%rcx; mov 32(%%rax),%%rdx;" \
    "mov 40(%%rax),%%r10; mov 48(%%rax),%%r11; mov 56(%%rax),%%rbx; xor %%r13d,%%r13d;" \
    "1: movzbl (%%rsi),%%eax; lea 2(%%rsi),%%r9; testb %%al,%%al; jns 2f;" \
    "movzbl 1(%%rsi),%%r12d; testb %%r12b,%%r12b; js 9f; add $1,%%r9; shl $7,%%r12d; lea -128(%%rax,%%r12),%%eax;" \
    "2: testb $1,%%al; jnz 9f; shr $1,%%eax; lea -1(%%r9,%%rax),%%r8; cmp %%r14,%%r8; ja 9f;" \
    "movzbl (%%r9),%%eax; testb %%al,%%al; js 30f;" \
    "3: testb $1,%%al; jnz 31f;" \
    "4: cmp %%r10,%%rax; cmovl %%rax,%%r10; cmp %%r11,%%rax; cmovg %%rax,%%r11;" \
    NUMBER "jne 9f;" \
    "movzbl " KEY "(%%r9),%%eax; testb $129,%%al; jnz 50f; shr $1,%%eax; add %%rax,%%r9;" \
    "6: movzbl " VALUE "(%%r9),%%eax; testb %%al,%%al; js 70f;" \
    "7: testb $1,%%al; jnz 80f; shr $1,%%eax;" \
    "8: lea " BEHIND "(%%r9,%%rax),%%rax; cmp %%r8,%%rax; jne 9f; cmpb $0,-1(%%r8); jne 9f;" \
    "lea (%%rsi,%%r13),%%rax; cmp %%rax,%%r8; jne 90f; mov %%rax,%%rsi;" \
    "91: " NEXT "sub $1,%%rdx; jz 9f; cmp %%rdi,%%rsi; jbe 1b; jmp 9f;" \
    "30: movzbl 1(%%r9),%%r12d; add $1,%%r9; and $127,%%eax; shl $7,%%r12d; or %%r12d,%%eax; test $16384,%%eax; jz 3b;" \
    "movzbl 1(%%r9),%%r12d; add $1,%%r9; and $16383,%%eax; shl $14,%%r12d; or %%r12d,%%eax; test $2097152,%%eax; jz 3b; jmp 9f;" \
    "31: not %%rax; jmp 4b;" \
    "50: cmp $1,%%eax; jne 9f; test %%rbx,%%rbx; jnz 9f; jmp 6b;" \
    "70: movzbl " VALUE2 "(%%r9),%%r12d; testb %%r12b,%%r12b; js 9f; add $1,%%r9; shl $7,%%r12d; lea -128(%%rax,%%r12),%%eax; jmp 7b;" \
    "80: cmp $1,%%eax; jne 9f; xor %%eax,%%eax; jmp 8b;" \
    "90: mov %%r8,%%r13; sub %%rsi,%%r13; mov %%r8,%%rsi; jmp 91b;" \
    "9: pop %%rax; mov %%rsi,(%%rax); mov %%rdx,32(%%rax); mov %%r10,40(%%rax); mov %%r11,48(%%rax); pop %%r14; pop %%r13; pop %%r12; pop %%rbx" \
    : : "a"(w) : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory"); \
}
/* One for each width of the number, since that is where the fields behind it are. */
PLAIN(plainOne, "cmpb %%cl,1(%%r9);", "add $2,%%ecx;", "2", "3", "4", "5")
PLAIN(plainTwo, "cmpw %%cx,1(%%r9);", "add $2,%%ecx; or $128,%%ecx;", "3", "4", "5", "6")
PLAIN(plainThree, "mov 1(%%r9),%%eax; and $16777215,%%eax; cmp %%ecx,%%eax;", "add $2,%%ecx; or $32896,%%ecx;", "4", "5", "6", "7")

static void plain(struct Walk *w) {
  u64 fix;
  u32 number = w->index * 2, until = sameWidth(w->index, w->count, &fix);
  if (w->end - w->p <= SAFE || until <= w->index) return;
  w->left = until - w->index > PLAIN_MAX ? PLAIN_MAX : until - w->index;
  until = w->index + w->left;
  if (fix == 0) {
    w->number = number;
    plainOne(w);
  } else if (fix == 0x80) {
    w->number = number & 127 | number >> 7 << 8 | fix;
    plainTwo(w);
  } else {
    w->number = number & 127 | (number >> 7 & 127) << 8 | number >> 14 << 16 | fix;
    plainThree(w);
  }
  w->index = until - w->left;
}

int walk(const u8 *bytes, int at, int end, int count, int needsKeys, double *found) {
  struct Walk w;
  w.p = bytes + at;
  w.end = bytes + end;
  w.safe = w.end - SAFE;
  w.min = 0x7fffffffffffffffLL;
  w.max = -0x7fffffffffffffffLL;
  w.needsKeys = needsKeys;
  w.index = 0;
  w.count = count;
  while (w.index < w.count) {
    if (!one(&w)) return 0;
    if (w.index < w.count && same(&w) < RUN_MIN) plain(&w);
  }
  if (w.p != w.end) return 0;
  found[0] = w.min >> 1;
  found[1] = w.max >> 1;
  return 1;
}
`

/** Compiles the C above in memory, as `compileC` does and with its errors. A batch of more than 2^31 bytes is left to RecordCheck. */
export const compiledWalk = (): RecordWalk => {
  const { walk } = compileC("walk", source, { walk: { args: ["ptr", "i32", "i32", "i32", "i32", "ptr"], returns: "i32" } })
  const found = new Float64Array(2)
  return (bytes, at, end, count, needsKeys) => {
    checkRange(bytes, at, end)
    // An empty view may have no memory behind it. Written so that NaN fails as well.
    if (end === at || end > int32Max || !(count > 0 && count <= int32Max && Number.isInteger(count))) return undefined
    // The call takes a number as the engine holds it, and reads one that is held as a double as another integer. `| 0` always gives an int32.
    if (walk(bytes, at | 0, end | 0, count | 0, needsKeys ? 1 : 0, found) !== 1) return undefined
    return { min: found[0] as number, max: found[1] as number }
  }
}
