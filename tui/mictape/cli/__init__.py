"""The command line: parser, commands, and recording without a screen."""
