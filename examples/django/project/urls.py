from django.contrib import admin
from django.urls import path, re_path

from people import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("me/", views.me),
    re_path(r"^scim/v2/", views.scim),
]
