"""The tests of the sandbox's PulseCheck mirror its folder."""
