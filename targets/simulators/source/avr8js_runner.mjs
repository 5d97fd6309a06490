// Runs a program on an AVR of avr8js: node avr8js_runner.mjs NPM_FOLDER FLASH_BYTES RAM_BYTES HERTZ BINARY. Speaks as simavr_runner.c does.
import { createRequire } from 'node:module';
import { readFileSync, writeSync } from 'node:fs';

const [packages, flashBytes, ramBytes, hertz, binary] = process.argv.slice(2);
const { CPU, AVRUSART, avrInstruction, usart0Config } = createRequire(packages + '/')('avr8js');
const GPIOR0 = 0x3e, MARK = 1, END = 2, NEWLINE = 10, SILENCE = 2e9;
const EXTENDED_REGISTERS = 0x100; // avr8js counts 0x100 bytes below the RAM, an ATmega1280 or 2560 has 0x200

const flash = new Uint16Array(Number(flashBytes) / 2);
new Uint8Array(flash.buffer).set(readFileSync(binary));
const cpu = new CPU(flash, Number(ramBytes) + EXTENDED_REGISTERS);
const text = [];
let ended = false;
let heard = 0; // cycle of the last sign of life
const writeAll = (file, bytes) => {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
};
new AVRUSART(cpu, usart0Config, Number(hertz)).onByteTransmit = (byte) => {
  heard = cpu.cycles;
  if (text.push(byte) && byte === NEWLINE) writeAll(1, Buffer.from(text.splice(0)));
};
cpu.writeHooks[GPIOR0] = (value) => {
  if (value === MARK || value === END) writeAll(2, Buffer.from(`${value === MARK ? 'mark' : 'end'} ${cpu.cycles}\n`));
  ended ||= value === END;
};
while (!ended && cpu.cycles - heard < SILENCE) {
  avrInstruction(cpu);
  cpu.tick();
}
if (!ended) {
  writeAll(2, Buffer.from(`it said nothing for ${SILENCE} cycles\n`));
  process.exit(1);
}
