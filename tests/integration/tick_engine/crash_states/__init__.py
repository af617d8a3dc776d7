"""Every disk a power cut may leave behind, rebuilt from recorded system calls and opened."""
