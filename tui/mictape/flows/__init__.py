"""What the app asks the person by dialogs, and does with the answer: one flow for each subject.

A flow has the main screen, to show dialogs and messages on, and the recording, to act on. The app composes them.
"""
