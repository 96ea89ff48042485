from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models


class Country(models.Model):
    name = models.CharField(max_length=50)

    def __str__(self):
        return self.name


class Author(models.Model):
    name = models.CharField(max_length=50)
    country = models.ForeignKey(Country, on_delete=models.CASCADE)
    mentor = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="pupils")

    def __str__(self):
        return f"{self.name} ({self.country})"

    @property
    def origin(self):
        return self.country.name

    def titles(self):
        return [book.title for book in self.books.all()]


class Profile(models.Model):
    author = models.OneToOneField(Author, on_delete=models.CASCADE)
    text = models.CharField(max_length=50)


class Tag(models.Model):
    name = models.CharField(max_length=50)
    made = models.DateTimeField(null=True)


class BookQuerySet(models.QuerySet):
    def shown(self):
        return self.exclude(title="hidden")

    def with_author(self):
        return self.select_related("author")


class BookManager(models.Manager.from_queryset(BookQuerySet)):
    def get_queryset(self):
        return super().get_queryset().select_related("publisher")


class Publisher(models.Model):
    name = models.CharField(max_length=50)


class Note(models.Model):
    text = models.CharField(max_length=50)
    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    object_id = models.PositiveIntegerField()
    about = GenericForeignKey()


class Book(models.Model):
    title = models.CharField(max_length=50)
    price = models.IntegerField(default=1)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    publisher = models.ForeignKey(Publisher, on_delete=models.CASCADE)
    editor = models.ForeignKey(Author, null=True, on_delete=models.SET_NULL, related_name="edited")
    tags = models.ManyToManyField(Tag)
    notes = GenericRelation(Note)

    objects = models.Manager.from_queryset(BookQuerySet)()
    published = BookManager()

    def __str__(self):
        return f"{self.title} by {self.author.name}"

    @property
    def by(self):
        return self.author.name

    def tag_names(self):
        return ", ".join(tag.name for tag in self.tags.all())

    def drafts(self):
        return [tag.name for tag in self.tags.all()] if self.pk else []

    def fresh(self):
        return self.author.name if self._state.adding else ""

    def stored(self):
        creating = not self.id
        return "" if creating or self.pk is None else self.author.name


class Chapter(models.Model):
    title = models.CharField(max_length=50)
    book = models.ForeignKey(Book, on_delete=models.CASCADE)

    class Meta:
        ordering = ["pk"]
