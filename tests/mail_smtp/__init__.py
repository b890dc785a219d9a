"""Tests of `estafette.mail.smtp`: dialogues (tests/dialogues/*.smtp), sessions of both sides, and both against each other."""
