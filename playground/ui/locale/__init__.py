"""The translations: one ``.po`` file for each area of the app, compiled into one ``messages.mo``."""
