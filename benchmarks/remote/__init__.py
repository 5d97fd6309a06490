"""The bench on another machine: one bundle goes there over ssh, records and waveforms come back and are checked."""
