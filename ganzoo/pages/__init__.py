"""Pages made from what is registered: every component, the gallery, the settings of a model file, the whole site."""
