from django.apps import AppConfig


class CrfConfig(AppConfig):
    name = "apps.crf"
