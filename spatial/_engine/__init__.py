"""The engine: private. Users import from the other rooms; nothing outside promises to stay."""
