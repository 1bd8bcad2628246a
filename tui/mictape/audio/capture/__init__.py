"""Everything that runs in the capture process, and nothing else: inputs, levels, resampling, the tape's writer."""
