"""Methods that our maps are compared with. None of them uses the plugin's features."""
