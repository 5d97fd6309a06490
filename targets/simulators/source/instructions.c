/* A TCG plugin that counts the instructions which a program executes. It is loaded by qemu-system-* and by the dynamic qemu-user.
 *
 * Arguments, each name=value:
 *   out=FILE         where the counts are written when the emulator ends
 *   low=HEX high=HEX count besides those at low <= address < high
 *   mark=HEX         note the count whenever this address is executed; up to MARKS times
 *   mnemonics=1      count each mnemonic, in the range where one is given
 * The output has a line per figure: "total N", "ranged N", "mark N", "mnemonic NAME N".
 *
 * Debian ships no qemu-plugin.h; what is used of the interface, version 1 (QEMU 4.2 to 8.2), is declared here.
 * Source: https://qemu.weilnetz.de/doc/7.2/devel/tcg-plugins.html
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define MARKS 65536
#define NAMES 4096
#define NAME_LENGTH 24

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
typedef void (*translated)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*ended)(qemu_plugin_id_t, void *);
typedef void (*executed)(unsigned int, void *);

extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, translated);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, ended, void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
extern char *qemu_plugin_insn_disas(const struct qemu_plugin_insn *);
extern void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, enum qemu_plugin_op, void *, uint64_t);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, executed, enum qemu_plugin_cb_flags, void *);

EXPORT int qemu_plugin_version = 1;

struct count {
    char name[NAME_LENGTH];
    uint64_t executed;
};

static uint64_t low, high = UINT64_MAX, mark = UINT64_MAX;
static uint64_t total, ranged, marks[MARKS];
static size_t marked, names;
static struct count counts[NAMES + 1]; /* the last one takes what has no room */
static int has_range, by_mnemonic;
static FILE *out;

static uint64_t *counter_of(const char *text)
{
    char name[NAME_LENGTH] = "?";
    size_t length = strcspn(text, " \t");
    if (length >= NAME_LENGTH)
        length = NAME_LENGTH - 1;
    if (length) {
        memcpy(name, text, length);
        name[length] = 0;
    }
    for (size_t i = 0; i < names; i++)
        if (!strcmp(counts[i].name, name))
            return &counts[i].executed;
    if (names == NAMES) {
        strcpy(counts[NAMES].name, "others");
        return &counts[NAMES].executed;
    }
    strcpy(counts[names].name, name);
    return &counts[names++].executed;
}

static void at_mark(unsigned int cpu, void *data)
{
    (void)cpu;
    (void)data;
    if (marked < MARKS)
        marks[marked++] = total;
}

static void at_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
        uint64_t address = qemu_plugin_insn_vaddr(instruction);
        qemu_plugin_register_vcpu_insn_exec_inline(instruction, QEMU_PLUGIN_INLINE_ADD_U64, &total, 1);
        if (address == mark)
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, at_mark, QEMU_PLUGIN_CB_NO_REGS, NULL);
        if (address < low || address >= high)
            continue;
        if (has_range)
            qemu_plugin_register_vcpu_insn_exec_inline(instruction, QEMU_PLUGIN_INLINE_ADD_U64, &ranged, 1);
        if (by_mnemonic) {
            char *text = qemu_plugin_insn_disas(instruction);
            qemu_plugin_register_vcpu_insn_exec_inline(instruction, QEMU_PLUGIN_INLINE_ADD_U64, counter_of(text ? text : ""), 1);
            free(text);
        }
    }
}

static void at_end(qemu_plugin_id_t id, void *data)
{
    (void)id;
    (void)data;
    fprintf(out, "total %llu\n", (unsigned long long)total);
    if (has_range)
        fprintf(out, "ranged %llu\n", (unsigned long long)ranged);
    for (size_t i = 0; i < marked; i++)
        fprintf(out, "mark %llu\n", (unsigned long long)marks[i]);
    for (size_t i = 0; i <= NAMES; i++)
        if (counts[i].executed)
            fprintf(out, "mnemonic %s %llu\n", counts[i].name, (unsigned long long)counts[i].executed);
    fclose(out);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int count, char **arguments)
{
    (void)info;
    for (int i = 0; i < count; i++) {
        char *value = strchr(arguments[i], '=');
        if (!value)
            return -1;
        *value++ = 0;
        if (!strcmp(arguments[i], "out"))
            out = fopen(value, "w");
        else if (!strcmp(arguments[i], "low"))
            low = strtoull(value, NULL, 16), has_range = 1;
        else if (!strcmp(arguments[i], "high"))
            high = strtoull(value, NULL, 16), has_range = 1;
        else if (!strcmp(arguments[i], "mark"))
            mark = strtoull(value, NULL, 16);
        else if (!strcmp(arguments[i], "mnemonics"))
            by_mnemonic = *value == '1';
        else
            return -1;
    }
    if (!out) {
        fprintf(stderr, "instructions: give out=FILE, a file that can be written\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, at_translation);
    qemu_plugin_register_atexit_cb(id, at_end, NULL);
    return 0;
}
