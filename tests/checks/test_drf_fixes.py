"""Fixes of findings on serializers name the queryset that lacks something, and paths that exist."""

from __future__ import annotations

from pathlib import Path

from stackaudit.checks.drf import method_field_query, n_plus_one
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

MODELS = """\
from django.db import models

class Food(models.Model):
    name = models.CharField(max_length=80)

class Ingredient(models.Model):
    food = models.ForeignKey(Food, on_delete=models.CASCADE)
    unit = models.ForeignKey("Unit", null=True, on_delete=models.CASCADE)

class Unit(models.Model):
    name = models.CharField(max_length=80)

class Step(models.Model):
    ingredients = models.ManyToManyField(Ingredient)

class Recipe(models.Model):
    steps = models.ManyToManyField(Step)
"""
API = """\
from rest_framework import serializers, viewsets
from .models import Food, Ingredient, Recipe, Step

class FoodSerializer(serializers.ModelSerializer):
    class Meta:
        model = Food
        fields = ["name"]

class IngredientSerializer(serializers.ModelSerializer):
    food = FoodSerializer()
    unit = serializers.StringRelatedField()

    class Meta:
        model = Ingredient
        fields = ["food", "unit"]

class StepSerializer(serializers.ModelSerializer):
    ingredients = IngredientSerializer(many=True)
    count = serializers.SerializerMethodField()

    class Meta:
        model = Step
        fields = ["ingredients", "count"]

    def get_count(self, step):
        return step.ingredients.count()

class RecipeSerializer(serializers.ModelSerializer):
    steps = StepSerializer(many=True)

    class Meta:
        model = Recipe
        fields = ["steps"]

class RecipeViewSet(viewsets.ModelViewSet):
    queryset = Recipe.objects.prefetch_related("steps__ingredients__food", "steps__ingredients__unit")
    serializer_class = RecipeSerializer
"""


SEARCH = """
from django.contrib.auth.models import User
from rest_framework.response import Response
from rest_framework.views import APIView
from shop.serializers import UserSerializer

class Search(APIView):
    def get(self, request):
        query = request.GET["query"]
        users = User.objects.filter(username__icontains=query) if request.user.has_perm("auth.view_user") else []
        return Response({"users": UserSerializer(users[:3], many=True).data})
"""
USERS = """
from django.contrib.auth.models import User
from rest_framework import serializers, viewsets
from rest_framework.pagination import PageNumberPagination

class Page(PageNumberPagination):
    page_size = 25

class UserSerializer(serializers.ModelSerializer):
    inherited = serializers.SerializerMethodField()

    def get_inherited(self, obj):
        return obj.get_group_permissions()

    class Meta:
        model = User
        fields = ["id", "inherited"]

class UserViewSet(viewsets.ModelViewSet):
    queryset = User.objects.exclude(username="x").order_by("id")
    serializer_class = UserSerializer
    pagination_class = Page
"""


def fixes(root: Path, api: str, models: str = MODELS, *, whole: bool = False) -> list[str]:
    files = {"shop/models.py": models, "shop/api.py": api if whole else API + api, "shop/__init__.py": ""}
    stack = stack_of(root, files)
    return [item.fix for rule in (n_plus_one, method_field_query) for item in rule(stack) if isinstance(item, Fail)]


def test_the_view_that_lacks_it_is_told(tmp_path: Path) -> None:
    api = """
class StepViewSet(viewsets.ModelViewSet):
    serializer_class = StepSerializer

    def get_queryset(self):
        return Step.objects.order_by("pk")
"""
    where = 'to `Step.objects.order_by("pk")` in shop.api.StepViewSet.get_queryset.'
    assert fixes(tmp_path, api) == [
        f'Add `.prefetch_related("ingredients__food", "ingredients__unit")` {where}',
        f'Add `.prefetch_related("ingredients")` {where}',
    ]


def test_a_queryset_of_a_base_class_is_left_alone(tmp_path: Path) -> None:
    api = """
class ListView(viewsets.ModelViewSet):
    def get_queryset(self):
        return self.model.objects.order_by("pk")

class BriefSerializer(serializers.ModelSerializer):
    food = FoodSerializer()

    class Meta:
        model = Ingredient
        fields = ["food"]

class IngredientViewSet(ListView):
    model = Ingredient
    serializer_class = BriefSerializer

class IngredientsSerializer(serializers.ModelSerializer):
    ingredients = serializers.PrimaryKeyRelatedField(many=True, read_only=True)

    class Meta:
        model = Step
        fields = ["ingredients"]

class StepKeysViewSet(ListView):
    model = Step
    serializer_class = IngredientsSerializer
"""
    held = '`self.model.objects.order_by("pk")` in shop.api.ListView.get_queryset serves other models, too.'
    assert fixes(tmp_path, api) == [
        f'Give the view of Ingredient a queryset of its own with `.select_related("food")`: {held}',
        f'Give the view of Step a queryset of its own with `.prefetch_related("ingredients")`: {held}',
    ]


def test_every_return_lacks_what_a_branch_alone_would_not_bring(tmp_path: Path) -> None:
    api = """
class IngredientViewSet(viewsets.ModelViewSet):
    queryset = Ingredient.objects
    serializer_class = IngredientSerializer

    def get_queryset(self):
        if self.request.query_params.get("unit"):
            self.queryset = self.queryset.filter(unit=self.request.query_params["unit"])
        if self.request.user.is_staff:
            return self.queryset.all()
        return self.queryset.exclude(food=None)
"""
    assert fixes(tmp_path, api) == [
        'Add `.select_related("food", "unit")` to `self.queryset.all()` and `self.queryset.exclude(food=None)` in '
        "shop.api.IngredientViewSet.get_queryset."
    ]


def test_what_a_method_field_asks_of_prefetched_rows_is_told_where_it_stands(tmp_path: Path) -> None:
    api = """
class PickedSerializer(serializers.ModelSerializer):
    dishes = serializers.SerializerMethodField()
    recipes = serializers.SerializerMethodField()

    class Meta:
        model = Step
        fields = ["dishes", "recipes"]

    def get_dishes(self, step):
        return [row.pk for row in step.ingredients.filter(unit=None)]

    def get_recipes(self, step):
        return Recipe.objects.filter(steps=step).count()

class StepViewSet(viewsets.ModelViewSet):
    queryset = Step.objects.prefetch_related("ingredients")
    serializer_class = PickedSerializer
"""
    assert fixes(tmp_path, api) == [
        "In `shop.api.PickedSerializer.get_dishes` filter `step.ingredients.all()` in Python (where each row has few "
        "of them): `filter()` asks the database even where `ingredients` is prefetched.",
        "`Recipe.objects.filter(steps=step).count()` in `shop.api.PickedSerializer.get_recipes` runs for each row: let "
        'the rows of `Step.objects.prefetch_related("ingredients")` in shop.api.StepViewSet bring the number, '
        "`annotate(…=Subquery(…))` over Recipe, and let the code there use that where the row has it, or count once "
        "for all of them.",
    ]


def test_every_column_that_was_left_out_is_named(tmp_path: Path) -> None:
    api = """
class KeysSerializer(serializers.ModelSerializer):
    price = serializers.SerializerMethodField()

    class Meta:
        model = Ingredient
        fields = ["food", "unit", "price"]

    def get_price(self, row):
        return row.price

class KeysViewSet(viewsets.ModelViewSet):
    serializer_class = KeysSerializer

    def get_queryset(self):
        return Ingredient.objects.only("pk")
"""
    models = MODELS.replace("class Unit", "    price = models.IntegerField()\n\nclass Unit")
    assert fixes(tmp_path, api, models) == [
        'Add "food", "unit", "price" to the only() of `Ingredient.objects.only("pk")` in '
        "shop.api.KeysViewSet.get_queryset."
    ]


def test_what_one_object_needs_is_not_loaded_for_lists(tmp_path: Path) -> None:
    shared = """
class BriefSerializer(serializers.ModelSerializer):
    class Meta:
        model = Recipe
        fields = ["id"]

class WholeStepSerializer(serializers.ModelSerializer):
    ingredients = IngredientSerializer(many=True)

    class Meta:
        model = Step
        fields = ["ingredients"]

class WholeSerializer(serializers.ModelSerializer):
    steps = WholeStepSerializer(many=True)

    class Meta:
        model = Recipe
        fields = ["steps"]

class WholeViewSet(viewsets.ModelViewSet):
    def get_queryset(self):
        return Recipe.objects.order_by("pk")

    def get_serializer_class(self):
        return BriefSerializer if self.action == "list" else WholeSerializer
"""
    load = (
        'Add `.prefetch_related("steps__ingredients__food", "steps__ingredients__unit")` to '
        '`Recipe.objects.order_by("pk")` in shop.api.WholeViewSet.get_queryset.'
    )
    alone = (
        "Lists are made there, too, and need none of it: load it for actions that show one object, by `self.action`."
    )
    assert fixes(tmp_path / "shared", shared) == [f"{load} {alone}"]
    detail = shared.replace("viewsets.ModelViewSet", "viewsets.mixins.RetrieveModelMixin, viewsets.GenericViewSet")
    assert fixes(tmp_path / "alone", detail) == [load]


def test_filters_that_no_single_key_stands_for(tmp_path: Path) -> None:
    api = """
from django.db.models import Q

class StepsViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = Ingredient.objects.all()

    def get_serializer_class(self):
        return ManySerializer

class ManySerializer(serializers.ModelSerializer):
    alone = serializers.SerializerMethodField()
    either = serializers.SerializerMethodField()
    built = serializers.SerializerMethodField()
    number = serializers.SerializerMethodField()

    class Meta:
        model = Ingredient
        fields = ["alone", "either", "built", "number"]

    def get_alone(self, row):
        wanted = Q(name=row.pk)
        return [food.pk for food in Food.objects.filter(wanted)]

    def get_either(self, row):
        return [food.pk for food in Food.objects.filter(Q(pk=row.food_id) | Q(name=""))]

    def get_built(self, row):
        wanted = Q(pk=row.food_id)
        if row.unit_id:
            wanted = Q(name=row.unit_id) | wanted
        found = Food.objects.filter(wanted)
        return [food.pk for food in found]

    def get_number(self, row):
        return Food.objects.filter(Q(pk=row.food_id) | Q(name="")).count()
"""
    place = "in `shop.api.ManySerializer.get_{}` runs for each row: "
    lacks = ", and a dictionary by one key would lack rows: fetch the Food rows that any of them needs with one query "
    lacks += "before, and give each what meets its own conditions in Python."
    assert fixes(tmp_path, api) == [
        "`Food.objects.filter(wanted)` " + place.format("alone") + "fetch the Food rows for all of them with one query "
        "before, and group them in a dictionary of lists.",
        '`Food.objects.filter(Q(pk=row.food_id) | Q(name=""))` '
        + place.format("either")
        + f"its filter holds alternatives{lacks}",
        "`found` " + place.format("built") + f"its filter is put together in Python{lacks}",
        '`Food.objects.filter(Q(pk=row.food_id) | Q(name="")).count()` ' + place.format("number") + "let the rows of "
        "`Ingredient.objects.all()` in shop.api.StepsViewSet bring the number, `annotate(…=Subquery(…))` over Food, "
        "and let the code there use that where the row has it, or count once for all of them.",
    ]


def test_names_of_permissions_are_put_together_from_the_rows_that_the_finding_is_about(tmp_path: Path) -> None:
    files = {"base/views.py": SEARCH, "shop/serializers.py": USERS, "base/__init__.py": "", "shop/__init__.py": ""}
    (found,) = [item for item in method_field_query(stack_of(tmp_path, files)) if isinstance(item, Fail)]
    assert found.fix == (
        "`obj.get_group_permissions()` in `shop.serializers.UserSerializer.get_inherited` runs for each row: let the "
        'rows of `User.objects.exclude(username="x").order_by("id")` in shop.serializers.UserViewSet bring what they '
        'have, `prefetch_related("groups__permissions__content_type")`, and put the names together in Python (none for '
        "an inactive user, all for a superuser), for this method asks whatever was prefetched."
    )
