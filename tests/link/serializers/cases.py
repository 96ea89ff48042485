"""Fields and lists of serializers, each with whether it asks the database for each row; the oracle measures them."""

CACHED = (
    "get_attribute(self, instance):\n        return instance",
    "to_representation(self, value):\n        if Book.author.is_cached(value):\n"
    "            if value.title:\n                return value.author.name\n"
    "        return Author.objects.get(pk=value.author_id).name",
)
_LINK = "get_url(self, obj, view_name, request, format):\n        "
_WHOLE = "use_pk_only_optimization(self):\n        return False"
# name: (the field class, the field, the queryset of books, whether it grows)
FIELDS = {
    "Itself": (
        "Field", "get_attribute(self, instance):\n        return instance",
        "to_representation(self, value):\n        return [review.pk for review in value.reviews.all()]", "", True
    ),
    "ItsRows": (
        "Field", "get_attribute(self, instance):\n        return instance.reviews.all()",
        "to_representation(self, value):\n        return [review.pk for review in value]", "", True
    ),
    "ItsRowsLoaded": (
        "Field", "get_attribute(self, instance):\n        return instance.reviews.all()",
        "to_representation(self, value):\n        return [review.pk for review in value]",
        ".prefetch_related('reviews')", False
    ),
    "ItsKey": (
        "Field", "get_attribute(self, instance):\n        return instance",
        "to_representation(self, value):\n        return value.author_id", "", False
    ),
    "Number": ("IntegerField", "get_attribute(self, instance):\n        return instance.reviews.count()", "", "", True),
    "NumberLoaded": (
        "IntegerField", "get_attribute(self, instance):\n        return instance.reviews.count()", "",
        ".prefetch_related('reviews')", False
    ),
    "Above": (
        "CharField", "get_attribute(self, instance):\n        return super().get_attribute(instance).upper()", "",
        "", True
    ),
    "AboveLoaded": (
        "CharField", "get_attribute(self, instance):\n        return super().get_attribute(instance).upper()", "",
        ".select_related('author')", False
    ),
    "KeyAbove": (
        "PrimaryKeyRelatedField", "get_attribute(self, instance):\n        return super().get_attribute(instance)", "",
        "", False
    ),
    "KeyShown": (
        "PrimaryKeyRelatedField", "", "to_representation(self, value):\n        return str(value.pk)", "", False
    ),
    "WholeRow": ("PrimaryKeyRelatedField", _WHOLE, "", "", True),
    "WholeRowLoaded": ("PrimaryKeyRelatedField", _WHOLE, "", ".select_related('author')", False),
    "WholeRowShown": (
        "PrimaryKeyRelatedField", _WHOLE, "to_representation(self, value):\n        return value.name", "", True
    ),
    "LinkOfKey": ("HyperlinkedRelatedField", _LINK + "return str(obj.pk)", "", "", False),
    "LinkById": ("HyperlinkedRelatedField", _LINK + "return str(obj.pk)\n\n    lookup_field = 'id'", "", "", True),
    "LinkAsks": (
        "HyperlinkedRelatedField", _LINK + "return Author.objects.get(pk=obj.pk).name", "", "", True
    ),
    "LinkOfRow": ("HyperlinkedRelatedField", _WHOLE, _LINK + "return obj.name", "", True),
    "LinkOfRowLoaded": (
        "HyperlinkedRelatedField", _WHOLE, _LINK + "return obj.name", ".select_related('author')", False
    ),
    "LinkOfItself": ("HyperlinkedIdentityField", "", _LINK + "return obj.author.name", "", True),
    "LinkOfItselfLoaded": (
        "HyperlinkedIdentityField", "", _LINK + "return obj.author.name", ".select_related('author')", False
    ),
    "Cached": ("Field", *CACHED, ".select_related('author')", False),
    "NotCached": ("Field", *CACHED, "", True),
    "Joined": (
        "Serializer", "get_attribute(self, instance):\n        return instance.author", "", ".select_related('author')",
        False
    ),
    "Unjoined": ("Serializer", "get_attribute(self, instance):\n        return instance.author", "", "", True),
}  # fmt: skip

_OTHER = """\
class {0}(Signed):
    def to_representation(self, review):
        return {{"author": super().to_representation(review)["author"], **Written().to_representation(review.book)}}


class Written(serializers.ModelSerializer):
    writer = serializers.CharField(source="author.name")

    class Meta:
        model = Book
        fields = ["writer"]
"""
_NAMES = """\
class {0}s(serializers.ListSerializer):
    def to_representation(self, books):
        return [book.author.name for book in books]


class {0}(Signed):
    class Meta:
        model = Book
        fields = ["author"]
        list_serializer_class = {0}s
"""
_FILLS = """\
class {0}s(serializers.ListSerializer):
    def to_representation(self, books):
        self.child.context["authors"] = {{author.pk: author for author in Author.objects.all()}}
        self.child.context["reviews"] = {{review.pk: review for review in Review.objects.all(){1}}}
        return super().to_representation(books)


class {0}(serializers.Serializer):
    def to_representation(self, book):
        if self.context["authors"] is None:
            return Author.objects.get(pk=book.author_id).name
        return [self.context["reviews"][pk].author.name for pk in self.context["reviews"]]

    class Meta:
        list_serializer_class = {0}s
"""
_GIVES = """\
class {0}(serializers.Serializer):
    def to_representation(self, book):
        return {{"name": self.context["books"][book.pk].author.name}}
"""
_CONTEXT = """
    def get_serializer_context(self):
        books = {{book.pk: book for book in Book.objects.exclude(title=""){0}}}
        return {{**super().get_serializer_context(), "books": books}}
"""
# name: (the serializer, the queryset of books, more of the view, whether it grows)
LISTED = {
    "Other": (_OTHER, "Review.objects.select_related('author')", "", True),
    "OtherLoaded": (_OTHER, "Review.objects.select_related('author', 'book__author')", "", False),
    "Name": (_NAMES, "Book.objects.all()", "", True),
    "NameLoaded": (_NAMES, "Book.objects.select_related('author')", "", False),
    "Fill": (_FILLS.replace("{1}", ""), "Book.objects.all()", "", True),
    "FillLoaded": (_FILLS.replace("{1}", ".select_related('author')"), "Book.objects.all()", "", False),
    "Context": (_GIVES, "Book.objects.all()", _CONTEXT.format(""), True),
    "ContextLoaded": (_GIVES, "Book.objects.all()", _CONTEXT.format(".select_related('author')"), False),
}
