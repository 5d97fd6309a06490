// Runs a program on an RP2040 of rp2040js: node rp2040js_runner.mjs NPM_FOLDER OFFSET BINARY, the vectors OFFSET bytes into the flash.
// Speaks as simavr_runner.c does; marks are writes to the watchdog's first scratch register.
import { createRequire } from 'node:module';
import { readFileSync, writeSync } from 'node:fs';

const [packages, offset, binary] = process.argv.slice(2);
const { RP2040 } = createRequire(packages + '/')('rp2040js');
const FLASH = 0x10000000, WATCHDOG = 0x40058000, SCRATCH = 0x0c, MARK = 1, END = 2, NEWLINE = 10, SILENCE = 2e9;

const chip = new RP2040();
const complain = (part, message) => {
  throw new Error(`${part}: ${message}`); // an access to what is not there is the program's fault
};
chip.logger = { debug() {}, info() {}, warn: complain, error: complain };
const start = Number(offset);
chip.flash.set(readFileSync(binary), start);
chip.core.VTOR = FLASH + start;
chip.core.SP = chip.flashView.getUint32(start, true);
chip.core.PC = chip.flashView.getUint32(start + 4, true) & ~1;
const text = [];
let ended = false;
let heard = 0; // cycle of the last sign of life
const writeAll = (file, bytes) => {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
};
chip.uart[0].onByte = (byte) => {
  heard = chip.core.cycles;
  if (text.push(byte) && byte === NEWLINE) writeAll(1, Buffer.from(text.splice(0)));
};
const watchdog = chip.findPeripheral(WATCHDOG);
const write = watchdog.writeUint32.bind(watchdog);
watchdog.writeUint32 = (register, value) => {
  if (register === SCRATCH) {
    writeAll(2, Buffer.from(`${value === MARK ? 'mark' : 'end'} ${chip.core.cycles}\n`));
    ended ||= value === END;
  }
  write(register, value);
};
while (!ended && chip.core.cycles - heard < SILENCE) chip.core.executeInstruction();
if (!ended) {
  writeAll(2, Buffer.from(`it said nothing for ${SILENCE} cycles\n`));
  process.exit(1);
}
