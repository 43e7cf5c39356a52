import ganzoo


@ganzoo.hookimpl
def register(zoo):
    pass
