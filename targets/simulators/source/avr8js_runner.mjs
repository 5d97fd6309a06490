// Runs a program on an AVR of avr8js: node avr8js_runner.mjs NPM_FOLDER FLASH_BYTES RAM_BYTES HERTZ BINARY. Speaks as simavr_runner.c does.
import { createRequire } from 'node:module';
import { readFileSync, writeSync } from 'node:fs';

const [packages, flashBytes, ramBytes, hertz, binary] = process.argv.slice(2);
const { CPU, AVRUSART, avrInstruction, usart0Config } = createRequire(packages + '/')('avr8js');
const GPIOR0 = 0x3e, MARK = 1, END = 2, NEWLINE = 10;
const EXTENDED_REGISTERS = 0x100; // avr8js counts 0x100 bytes below the RAM, an ATmega1280 or 2560 has 0x200

const flash = new Uint16Array(Number(flashBytes) / 2);
new Uint8Array(flash.buffer).set(readFileSync(binary));
const cpu = new CPU(flash, Number(ramBytes) + EXTENDED_REGISTERS);
const text = [];
let ended = false;
const writeAll = (file, bytes) => {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
};
new AVRUSART(cpu, usart0Config, Number(hertz)).onByteTransmit = (byte) => {
  if (text.push(byte) && byte === NEWLINE) writeAll(1, Buffer.from(text.splice(0)));
};
cpu.writeHooks[GPIOR0] = (value) => {
  if (value === MARK || value === END) writeAll(2, Buffer.from(`${value === MARK ? 'mark' : 'end'} ${cpu.cycles}\n`));
  ended ||= value === END;
};
while (!ended) {
  avrInstruction(cpu);
  cpu.tick();
}
