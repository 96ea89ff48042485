"""What classes declare, case by case, with what real libraries do: whether more rows take more queries."""

from __future__ import annotations

MODELS = """\
from django.db import models


class Country(models.Model):
    name = models.CharField(max_length=20)

    def __str__(self):
        return self.name


class Author(models.Model):
    name = models.CharField(max_length=20)
    country = models.ForeignKey(Country, on_delete=models.CASCADE)

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return f"/{self.country.name}/{self.pk}"


class Tag(models.Model):
    name = models.CharField(max_length=20)

    def __str__(self):
        return self.name


class Book(models.Model):
    title = models.CharField(max_length=20)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    tags = models.ManyToManyField(Tag)

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        return f"/{self.pk}"

    def byline(self):
        return f"by {self.author.name}"


class Review(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="reviews")

    def __str__(self):
        return f"of {self.book.title}"

    def get_absolute_url(self):
        return f"/{self.book.title}/{self.pk}"


class Plan(models.Model):
    book = models.OneToOneField(Book, on_delete=models.CASCADE, related_name="plan")

    def current(self):
        return self.book.reviews.order_by("-pk").first()


class Note(models.Model):
    review = models.ForeignKey(Review, on_delete=models.CASCADE)
    text = models.CharField(max_length=20)
"""

ALL = "models.Book.objects.all()"
AUTHORS = "models.Book.objects.select_related('author')"
TAGS = "models.Book.objects.prefetch_related('tags')"
PLANS = "models.Book.objects.select_related('plan')"
REVIEWS = "models.Review.objects.all()"

# name: (queryset, body of the table, whether the number of queries grows with the rows)
TABLES = {
    "PlainTable": (ALL, "title = tables.Column()", False),
    "RelationTable": (ALL, "author = tables.Column()", True),
    "LoadedTable": (AUTHORS, "author = tables.Column()", False),
    "KeyTable": (ALL, "who = tables.Column(accessor='author_id')", False),
    "PathTable": (AUTHORS, "who = tables.Column(accessor='author__country__name')", True),
    "BetweenTable": (PLANS, "number = tables.Column(accessor='plan__current__pk')", True),
    "BackTable": (PLANS, "title = tables.Column(accessor='plan__book__title')", False),
    "AccessorTable": (ALL, "who = tables.Column(accessor=A('author__name'))", True),
    "MethodTable": (ALL, "byline = tables.Column()", True),
    "FieldsTable": (ALL, "class Meta:\n        model = models.Book\n        fields = ('title', 'author')", True),
    "TitleTable": (ALL, "class Meta:\n        model = models.Book\n        fields = ('title',)", False),
    "StockTable": (ALL, "class Meta:\n        model = models.Book", True),
    "ExcludeTable": (ALL, "class Meta:\n        model = models.Book\n        exclude = ('author',)", False),
    "ManyTable": (ALL, "class Meta:\n        model = models.Book\n        fields = ('tags',)", True),
    "ManyLoadedTable": (TAGS, "class Meta:\n        model = models.Book\n        fields = ('tags',)", False),
    "ManyColumnTable": (ALL, "tags = tables.ManyToManyColumn()", True),
    "ManyFilterTable": (TAGS, "tags = tables.ManyToManyColumn(filter=lambda tags: tags.filter(name='red'))", True),
    "ManagerTable": (ALL, "tags = tables.Column()", False),
    "HiddenTable": (ALL, "title = tables.Column()\n    author = tables.Column(visible=False)", False),
    "RenderTable": (
        ALL, "title = tables.Column()\n    def render_title(self, record):\n        return record.author.name", True
    ),
    "ExportValueTable": (
        ALL,
        "title = tables.Column()\n    def value_title(self, record):\n        return record.author.name",
        False,
    ),
    "RenderValueTable": (
        TAGS,
        "tags = tables.Column()\n    def render_tags(self, value):\n        return [tag.name for tag in value.all()]",
        False,
    ),
    "OrderTable": (
        ALL,
        "title = tables.Column()\n    def order_title(self, queryset, is_descending):\n"
        "        return queryset, [book.author.name for book in queryset[:0]]",
        False,
    ),
    "LinkTable": (ALL, "title = tables.LinkColumn('one', args=[A('author__pk')])", True),
    "LinkKeyTable": (ALL, "title = tables.LinkColumn('one', args=[A('author_id')])", False),
    "LinkifyTable": (ALL, "title = tables.Column(linkify=('one', {'pk': A('author__pk')}))", True),
    "LinkifyTrueTable": (AUTHORS, "author = tables.Column(linkify=True)", True),
    "LinkifyOwnTable": (ALL, "title = tables.Column(linkify=True)", False),
    "LinkifyCallTable": (ALL, "title = tables.Column(linkify=lambda record: f'/{record.author.name}')", True),
    "TemplateTable": (ALL, "who = tables.TemplateColumn(template_name='cell.html', accessor='pk')", True),
    "CodeTable": (ALL, "who = tables.TemplateColumn('{{ record.author.name }}', accessor='pk')", True),
    "CodeManyTable": (
        ALL,
        "who = tables.TemplateColumn('{% for tag in record.tags.all %}{{ tag }}{% endfor %}', accessor='pk')",
        True,
    ),
    "CodeLoadedTable": (
        TAGS,
        "who = tables.TemplateColumn(template_code='''{% for tag in record.tags.all %}{{ tag }}{% endfor %}''',"
        " accessor='pk')",
        False,
    ),
    "CodePlainTable": (ALL, "who = tables.TemplateColumn('{{ record.title|upper }}', accessor='pk')", False),
    "AttrsTable": (
        ALL, "title = tables.Column(attrs={'td': {'data-a': lambda record: record.author.name}})", True
    ),
    "RowAttrsTable": (
        ALL,
        "title = tables.Column()\n    class Meta:\n        row_attrs = {'data-a': lambda record: record.author.name}",
        True,
    ),
    "CustomTable": (ALL, "title = Shouted()", True),
    "DefaultTable": (ALL, "who = Written()", True),
    "DefaultLoadedTable": (AUTHORS, "who = Written()", False),
    "InitTable": (
        ALL,
        "title = tables.Column()\n    author = tables.Column()\n    def __init__(self, data, **kwargs):\n"
        "        super().__init__(data.select_related('author'), **kwargs)",
        False,
    ),
    "TextTable": (REVIEWS, "me = tables.Column(accessor='book__reviews__first')", True),
}  # fmt: skip

# name: (queryset, body of the resource, whether it grows)
RESOURCES = {
    "StockResource": (ALL, "class Meta:\n        model = models.Book\n        exclude = ('tags',)", False),
    "TagsResource": (ALL, "class Meta:\n        model = models.Book", True),
    "TagsLoadedResource": (TAGS, "class Meta:\n        model = models.Book", False),
    "FieldResource": (
        ALL,
        "author = fields.Field(attribute='author', widget=ForeignKeyWidget(models.Author, 'name'))\n"
        "    class Meta:\n        model = models.Book\n        fields = ('title', 'author')",
        True,
    ),
    "FieldLoadedResource": (
        AUTHORS,
        "author = fields.Field(attribute='author', widget=ForeignKeyWidget(models.Author, 'name'))\n"
        "    class Meta:\n        model = models.Book\n        fields = ('title', 'author')",
        False,
    ),
    "WidgetPathResource": (
        AUTHORS,
        "author = fields.Field(attribute='author', widget=ForeignKeyWidget(models.Author, 'country__name'))\n"
        "    class Meta:\n        model = models.Book\n        fields = ('author',)",
        True,
    ),
    "PathResource": (ALL, "class Meta:\n        model = models.Book\n        fields = ('author__name',)", True),
    "AttributeResource": (
        ALL,
        "who = fields.Field(attribute='author__name')\n    class Meta:\n        model = models.Book\n"
        "        fields = ('who',)",
        True,
    ),
    "MethodResource": (
        PLANS,
        "last = fields.Field(attribute='plan__current')\n    class Meta:\n        model = models.Book\n"
        "        fields = ('last',)",
        True,
    ),
    "MethodBetweenResource": (
        PLANS,
        "last = fields.Field(attribute='plan__current__pk')\n    class Meta:\n        model = models.Book\n"
        "        fields = ('last',)",
        False,
    ),
    "DehydrateResource": (
        ALL,
        "who = fields.Field()\n    def dehydrate_who(self, book):\n        return book.author.name\n"
        "    class Meta:\n        model = models.Book\n        fields = ('who',)",
        True,
    ),
    "DehydratedInsteadResource": (
        ALL,
        "author = fields.Field(attribute='author__name')\n    def dehydrate_author(self, book):\n"
        "        return book.author_id\n"
        "    class Meta:\n        model = models.Book\n        fields = ('author',)",
        False,
    ),
    "UnlistedResource": (
        ALL,
        "who = fields.Field(attribute='author__name')\n    class Meta:\n        model = models.Book\n"
        "        fields = ('title',)",
        False,
    ),
}

# name: (base class, body, whether it grows)
FEEDS = {
    "BookSitemap": ("Sitemap", f"def items(self):\n        return {ALL}", False),
    "ReviewSitemap": ("Sitemap", f"def items(self):\n        return {REVIEWS}", True),
    "ReviewLoadedSitemap": (
        "Sitemap", "def items(self):\n        return models.Review.objects.select_related('book')", False
    ),
    "LocationSitemap": (
        "Sitemap",
        f"def items(self):\n        return {ALL}\n    def location(self, book):\n        return '/' + book.author.name",
        True,
    ),
    "PrioritySitemap": (
        "Sitemap",
        f"def items(self):\n        return {ALL}\n    def priority(self, book):\n        return len(book.author.name)",
        True,
    ),
    "BookFeed": ("Stock", f"def items(self):\n        return {ALL}", False),
    "ReviewFeed": ("Stock", f"def items(self):\n        return {REVIEWS}", True),
    "AuthorFeed": (
        "Stock",
        f"def items(self):\n        return {ALL}\n    def item_author_name(self, book):\n"
        "        return book.author.name",
        True,
    ),
    "AuthorLoadedFeed": (
        "Stock",
        f"def items(self):\n        return {AUTHORS}\n    def item_author_name(self, book):\n"
        "        return book.author.name",
        False,
    ),
    "TemplateFeed": (
        "Stock", f"description_template = 'item.html'\n    def items(self):\n        return {ALL}", True
    ),
}  # fmt: skip

# name: (body of the index, whether it grows)
INDEXES = {
    "TitleIndex": ("title = indexes.CharField(model_attr='title')", False),
    "AuthorIndex": ("title = indexes.CharField(model_attr='author__name')", True),
    "TagIndex": ("title = indexes.MultiValueField(model_attr='tags__name')", True),
    "PrepareIndex": (
        "title = indexes.CharField()\n    def prepare_title(self, book):\n        return book.author.name", True
    ),
    "LoadedIndex": (
        "title = indexes.CharField(model_attr='author__name')\n    def index_queryset(self, using=None):\n"
        "        return self.get_model().objects.select_related('author')",
        False,
    ),
    "TemplateIndex": ("title = indexes.CharField(use_template=True, template_name='object.html')", True),
}  # fmt: skip

# name: (body of the document, whether it grows)
DOCUMENTS = {
    "TitleDocument": ("title = search.TextField()", False),
    "AttrDocument": ("title = search.TextField(attr='author.name')", True),
    "ObjectDocument": ("author = search.ObjectField(properties={'name': search.TextField()})", True),
    "ObjectLoadedDocument": (
        "author = search.ObjectField(properties={'name': search.TextField()})\n    def get_queryset(self):\n"
        "        return super().get_queryset().select_related('author')",
        False,
    ),
    "ObjectDeepDocument": (
        "author = search.ObjectField(properties={'land': search.TextField(attr='country.name')})\n"
        "    def get_queryset(self):\n        return super().get_queryset().select_related('author')",
        True,
    ),
    "NestedDocument": ("tags = search.NestedField(properties={'name': search.TextField()})", True),
    "NestedLoadedDocument": (
        "tags = search.NestedField(properties={'name': search.TextField()})\n    def get_queryset(self):\n"
        "        return super().get_queryset().prefetch_related('tags')",
        False,
    ),
    "PrepareDocument": (
        "who = search.TextField()\n    def prepare_who(self, book):\n        return book.author.name", True
    ),
}  # fmt: skip

# name: (queryset, body of the graphene type, fields that are asked for, whether it grows)
GRAPHENE = {
    "TitleType": (ALL, "class Meta:\n        model = models.Book\n        fields = ('title',)", "title", False),
    "AuthorFieldType": (
        ALL,
        "class Meta:\n        model = models.Book\n        fields = '__all__'",
        "author{name}",
        True,
    ),
    "TagFieldType": (ALL, "class Meta:\n        model = models.Book\n        fields = ('tags',)", "tags{name}", True),
    "TagLoadedType": (
        TAGS,
        "class Meta:\n        model = models.Book\n        fields = ('tags',)",
        "tags{name}",
        False,
    ),
    "LoadedType": (
        AUTHORS,
        "class Meta:\n        model = models.Book\n        fields = ('author',)",
        "author{name}",
        False,
    ),
    "UntypedType": (
        ALL,
        "class Meta:\n        model = models.Book\n        fields = ('title', 'reviews')",
        "title",
        False,
    ),
    "ResolverType": (
        ALL,
        "who = graphene.String()\n    def resolve_who(self, info):\n        return self.author.name\n"
        "    class Meta:\n        model = models.Book\n        fields = ('title',)",
        "who",
        True,
    ),
    "ResolverKeyType": (
        ALL,
        "who = graphene.ID()\n    def resolve_who(root, info):\n        return root.author_id\n"
        "    class Meta:\n        model = models.Book\n        fields = ('title',)",
        "who",
        False,
    ),
    "ResolverLoadedType": (
        AUTHORS,
        "who = graphene.Field(AuthorType)\n    @staticmethod\n    def resolve_who(root, info):\n"
        "        return root.author\n    class Meta:\n        model = models.Book\n        fields = ('title',)",
        "who{name}",
        False,
    ),
    "CountType": (
        ALL,
        "n = graphene.Int()\n    def resolve_n(self, info):\n        return self.tags.count()\n"
        "    class Meta:\n        model = models.Book\n        fields = ('title',)",
        "n",
        True,
    ),
}

# name: (queryset, body of the strawberry type, fields that are asked for, whether it grows)
STRAWBERRY = {
    "TitleNode": (ALL, "title: str", "title", False),
    "AuthorNode": (ALL, "author: 'AuthorNodes'", "author{name}", False),
    "TagNode": (ALL, "tags: list['TagNodes']", "tags{name}", False),
    "WhoNode": (
        ALL, "@strawberry_django.field\n    def who(self) -> str:\n        return self.author.name", "who", True
    ),
    "HintedNode": (
        ALL,
        "@strawberry_django.field(select_related=['author'])\n    def who(self) -> str:\n"
        "        return self.author.name",
        "who",
        False,
    ),
    "CountNode": (
        ALL, "@strawberry_django.field\n    def n(self) -> int:\n        return self.tags.count()", "n", True
    ),
    "CountHintedNode": (
        ALL,
        "@strawberry_django.field(prefetch_related=['tags'])\n    def n(self) -> int:\n"
        "        return self.tags.count()",
        "n",
        False,
    ),
}  # fmt: skip

# name: (base class, body of the form, whether it grows)
FORMS = {
    "TitleForm": ("forms.Form", "book = forms.ModelChoiceField(queryset=models.Book.objects.all())", False),
    "ReviewForm": ("forms.Form", "review = forms.ModelChoiceField(queryset=models.Review.objects.all())", True),
    "ReviewLoadedForm": (
        "forms.Form",
        "review = forms.ModelChoiceField(queryset=models.Review.objects.select_related('book'))",
        False,
    ),
    "ReviewHiddenForm": (
        "forms.Form",
        "review = forms.ModelChoiceField(queryset=models.Review.objects.all(), widget=forms.HiddenInput)",
        False,
    ),
    "ReviewRadioForm": (
        "forms.Form",
        "review = forms.ModelMultipleChoiceField(models.Review.objects.all(), widget=forms.CheckboxSelectMultiple())",
        True,
    ),
    "ReplacedForm": (
        "forms.Form",
        "review = forms.ModelChoiceField(queryset=models.Review.objects.all())\n"
        "    def __init__(self, *args, **kwargs):\n        super().__init__(*args, **kwargs)\n"
        "        self.fields['review'].queryset = models.Review.objects.select_related('book')",
        False,
    ),
    "FilledForm": (
        "forms.Form",
        "review = forms.ModelChoiceField(queryset=models.Review.objects.none())\n"
        "    def __init__(self, *args, **kwargs):\n        super().__init__(*args, **kwargs)\n"
        "        self.fields['review'].queryset = models.Review.objects.filter(book__title='t')",
        True,
    ),
    "ExtendedForm": (
        "forms.Form",
        "review = forms.ModelChoiceField(queryset=models.Review.objects.all())\n"
        "    def __init__(self, *args, **kwargs):\n        super().__init__(*args, **kwargs)\n"
        "        field = self.fields['review']\n        field.queryset = field.queryset.select_related('book')",
        False,
    ),
    "AddedForm": (
        "forms.Form",
        "def __init__(self, *args, **kwargs):\n        super().__init__(*args, **kwargs)\n"
        "        self.fields['review'] = forms.ModelChoiceField(queryset=models.Review.objects.all())",
        True,
    ),
    "AddedLoadedForm": (
        "forms.Form",
        "def __init__(self, *args, **kwargs):\n        super().__init__(*args, **kwargs)\n"
        "        rows = models.Review.objects.select_related('book')\n"
        "        self.fields['review'] = forms.ModelChoiceField(queryset=rows)",
        False,
    ),
    "AddedHiddenForm": (
        "forms.Form",
        "def __init__(self, *args, **kwargs):\n        super().__init__(*args, **kwargs)\n"
        "        self.fields['review'] = forms.ModelChoiceField(models.Review.objects.all(), widget=forms.HiddenInput)",
        False,
    ),
    "OtherFieldForm": (
        "forms.Form",
        "review = forms.ModelChoiceField(queryset=models.Review.objects.all())\n"
        "    def __init__(self, *args, **kwargs):\n        super().__init__(*args, **kwargs)\n"
        "        self.fields['review'] = forms.CharField()",
        False,
    ),
    "LaterForm": (
        "forms.Form",
        "review = forms.ModelChoiceField(queryset=models.Review.objects.none())\n"
        "    @classmethod\n    def make(cls):\n        form = cls()\n"
        "        form.fields['review'].queryset = models.Review.objects.filter(book__title='t')\n        return form",
        True,
    ),
    "LaterLoadedForm": (
        "forms.Form",
        "review = forms.ModelChoiceField(queryset=models.Review.objects.all())\n"
        "    @classmethod\n    def make(cls):\n        form = cls()\n        field = form.fields['review']\n"
        "        field.queryset = models.Review.objects.select_related('book')\n        return form",
        False,
    ),
    "GivenForm": (
        "forms.Form",
        "review = forms.ModelChoiceField(queryset=models.Review.objects.all())\n"
        "    @classmethod\n    def of(cls, rows):\n        form = cls()\n"
        "        form.fields['review'].queryset = rows\n        return form\n"
        "    @staticmethod\n    def make():\n        return GivenForm.of(models.Review.objects.all())",
        True,
    ),
    "GivenLoadedForm": (
        "forms.Form",
        "review = forms.ModelChoiceField(queryset=models.Review.objects.all())\n"
        "    @classmethod\n    def of(cls, rows):\n        form = cls()\n"
        "        form.fields['review'].queryset = rows\n        return form\n"
        "    @staticmethod\n    def make():\n        rows = models.Review.objects.select_related('book')\n"
        "        return GivenLoadedForm.of(rows)",
        False,
    ),
    "LaterModelForm": (
        "forms.ModelForm",
        "class Meta:\n        model = models.Note\n        fields = ['review']\n"
        "    @classmethod\n    def make(cls):\n        form = cls()\n"
        "        form.fields['review'].queryset = models.Review.objects.select_related('book')\n        return form",
        False,
    ),
    "LabelForm": (
        "forms.Form",
        "book = forms.ModelChoiceField(queryset=models.Book.objects.all())\n"
        "    def __init__(self, *args, **kwargs):\n        super().__init__(*args, **kwargs)\n"
        "        self.fields['book'].label_from_instance = lambda book: book.author.name",
        True,
    ),
    "LabelFieldForm": ("forms.Form", "book = Labelled(queryset=models.Book.objects.all())", True),
    "ModelStockForm": ("forms.ModelForm", "class Meta:\n        model = models.Note\n        fields = '__all__'", True),
    "ModelListForm": ("forms.ModelForm", "class Meta:\n        model = models.Note\n        fields = ['review']", True),
    "ModelExcludeForm": (
        "forms.ModelForm", "class Meta:\n        model = models.Note\n        exclude = ['review']", False
    ),
    "ModelWidgetForm": (
        "forms.ModelForm",
        "class Meta:\n        model = models.Note\n        fields = ['review']\n"
        "        widgets = {'review': forms.NumberInput}",
        False,
    ),
    "ReviewFilter": (
        "django_filters.FilterSet",
        "review = django_filters.ModelChoiceFilter(queryset=models.Review.objects.all())",
        True,
    ),
    "ReviewCallFilter": (
        "django_filters.FilterSet",
        "review = django_filters.ModelChoiceFilter(queryset=lambda request: models.Review.objects.all())",
        True,
    ),
    "ReviewMetaFilter": (
        "django_filters.FilterSet", "class Meta:\n        model = models.Note\n        fields = ['review']", True
    ),
    "ReviewDictFilter": (
        "django_filters.FilterSet",
        "class Meta:\n        model = models.Note\n        fields = {'review': ['exact']}",
        True,
    ),
    "ReviewNullFilter": (
        "django_filters.FilterSet",
        "class Meta:\n        model = models.Note\n        fields = {'review': ['isnull']}",
        False,
    ),
    "ReviewNumberFilter": (
        "django_filters.FilterSet",
        "review = django_filters.NumberFilter()\n"
        "    class Meta:\n        model = models.Note\n        fields = ['review']",
        False,
    ),
    "BookFilter": (
        "django_filters.FilterSet",
        "book = django_filters.ModelMultipleChoiceFilter(queryset=models.Book.objects.all())",
        False,
    ),
}  # fmt: skip
