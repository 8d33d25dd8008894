using System.Text.Json;
using System.Text.RegularExpressions;
using LookaheadKV.Evaluation.Ruler;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Ruler;

public sealed class QuestionFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void SquadIsReadWithItsArticlesAsNeighboursAndWithoutImpossibleQuestions()
    {
        var file = QuestionFile.ReadSquad(Write(Squad()));
        Assert.Equal(["P0 of A0", "P1 of A0", "P0 of A1", "P1 of A1", "P0 of A2", "P1 of A2"], file.Documents);
        Assert.Equal(6, file.Questions.Count);
        var question = file.Questions[3];
        Assert.Equal("What is P1 of A1?", question.Text);
        Assert.Equal(["P1", "one"], question.Answers);
        Assert.Equal([3], question.Gold);
        Assert.Equal([2], question.Near);
    }

    [Fact]
    public void HotpotIsReadWithAllDocumentsOfAQuestion()
    {
        var file = QuestionFile.ReadHotpot(Write(Hotpot(3)));
        Assert.Equal(
            ["Title 0\nFirst 0. Second 0.", "Shared\nSame. Text.", "Title 1\nFirst 1. Second 1.", "Title 2\nFirst 2. Second 2."],
            file.Documents
        );
        Assert.Equal([0, 2, 3], file.Questions.Select(question => question.Gold[0]));
        Assert.All(file.Questions, question => Assert.Equal(1, question.Gold[1]));
        Assert.Equal(["answer 2"], file.Questions[2].Answers);
    }

    [Fact]
    public void PromptsHoldTheGoldDocumentsFirstThoseOfTheArticleThenOthersInRandomOrder()
    {
        var squad = QuestionFile.ReadSquad(Write(Squad(articles: 40)));
        var places = new HashSet<int>();
        for (var index = 0; index < 80; index++)
        {
            var sample = RulerTasks.Generate("qa_1", 150, seed: 1, index, Count, squad);
            Assert.InRange(Count(sample.Prompt + sample.AnswerPrefix), 150 - 5, 150);
            var (paragraph, article) = (Word(@"What is (P\d)"), Word(@"of (A\d+)\?"));
            string[] documents = [.. Regex.Matches(sample.Prompt, @"Document (\d+):\n(.+)").Select(match => match.Groups[2].Value)];
            Assert.Equal(documents.Length, documents.Distinct().Count());
            Assert.Contains($"P0 of {article}", documents);
            Assert.Contains($"P1 of {article}", documents);
            places.Add(Array.IndexOf(documents, $"{paragraph} of {article}"));
            Assert.Equal(1, sample.Score($"It is {paragraph}."));
            Assert.Equal(1, sample.Score("ONE"));
            Assert.Equal(0, sample.Score("nothing"));

            string Word(string pattern) => Regex.Match(sample.Prompt, pattern).Groups[1].Value;
        }
        Assert.True(places.Count > 10);

        var hotpot = QuestionFile.ReadHotpot(Write(Hotpot(50)));
        var two = RulerTasks.Generate("qa_2", 120, seed: 1, index: 3, Count, hotpot);
        var number = Regex.Match(two.Prompt, @"Question: Q(\d+)").Groups[1].Value;
        Assert.Contains($"Title {number}\nFirst {number}.", two.Prompt);
        Assert.Contains("Shared\nSame. Text.", two.Prompt);
        Assert.Equal([$"answer {number}"], two.Answers);
    }

    [Fact]
    public void EveryQuestionComesOnceBeforeAnyComesAgain()
    {
        var squad = QuestionFile.ReadSquad(Write(Squad()));
        string[] asked = [.. Enumerable.Range(0, 12).Select(index => Asked(index))];
        Assert.Equal(6, asked.Take(6).Distinct().Count());
        Assert.Equal(asked.Take(6), asked.Skip(6));

        string Asked(int index) => RulerTasks.Generate("qa_1", 60, seed: 5, index, Count, squad).Prompt.Split('\n')[^1];
    }

    [Fact]
    public void AFileWithTooFewDocumentsIsRefused()
    {
        var squad = QuestionFile.ReadSquad(Write(Squad()));
        var error = Assert.Throws<InputException>(() => RulerTasks.Generate("qa_1", 5000, 0, 0, Count, squad));
        var most = int.Parse(Regex.Match(error.Message, @"use (\d+) tokens or fewer").Groups[1].Value);
        Assert.Equal(6, Regex.Count(RulerTasks.Generate("qa_1", most, 0, 0, Count, squad).Prompt, @"Document \d"));
    }

    [Theory]
    [InlineData("[]", "the value is an empty array, must be an object")]
    [InlineData("{}", "data is missing")]
    [InlineData("""{"data":{}}""", "data is an object, must be an array")]
    [InlineData("""{"data":[{"paragraphs":[{"context":3,"qas":[]}]}]}""", "data[0].paragraphs[0].context is 3, must be a string")]
    [InlineData(
        """{"data":[{"paragraphs":[{"context":"c","qas":[{"question":"q"}]}]}]}""",
        "data[0].paragraphs[0].qas[0].answers is missing"
    )]
    [InlineData(
        """{"data":[{"paragraphs":[{"context":"c","qas":[{"question":"q","answers":[{"text":"a"},{"t":1}]}]}]}]}""",
        "data[0].paragraphs[0].qas[0].answers[1].text is missing"
    )]
    [InlineData(
        """{"data":[{"paragraphs":[{"context":"c","qas":[{"question":"q","is_impossible":"no"}]}]}]}""",
        "data[0].paragraphs[0].qas[0].is_impossible is \"no\", must be true or false"
    )]
    [InlineData("""{"data":[]}""", "no question in it has an answer")]
    [InlineData("{", "not JSON")]
    [InlineData("", "not JSON")]
    public void BrokenSquadFilesAreNamedWithThePlace(string json, string message) =>
        AssertRefused(() => QuestionFile.ReadSquad(Write(json)), message);

    [Theory]
    [InlineData("{}", "the value is an object, must be an array")]
    [InlineData("""[{"question":"q","answer":"a"}]""", "[0].context is missing")]
    [InlineData("""[{"question":"q","answer":"a","context":[["t"]]}]""", "[0].context[0] is an array, must be [title, [sentence, …]]")]
    [InlineData("""[{"question":"q","answer":"a","context":[["t",["s",4]]]}]""", "[0].context[0][1][1] is 4, must be a string")]
    [InlineData("[]", "no question in it has an answer")]
    public void BrokenHotpotFilesAreNamedWithThePlace(string json, string message) =>
        AssertRefused(() => QuestionFile.ReadHotpot(Write(json)), message);

    [Fact]
    public void AMissingFileIsNamed() =>
        AssertRefused(() => QuestionFile.ReadSquad(Path.Combine(_folder, "none.json")), "none.json cannot be read");

    private static void AssertRefused(Action read, string message)
    {
        var error = Assert.Throws<InputException>(read).Message;
        Assert.Contains(message, error);
        Assert.Contains(".json", error);
        Assert.DoesNotContain('\n', error);
    }

    private static int Count(string text) => text.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Length;

    private string Write(string json)
    {
        var path = Path.Combine(_folder, $"{Guid.NewGuid():N}.json");
        File.WriteAllText(path, json);
        return path;
    }

    private static string Squad(int articles = 3) =>
        JsonSerializer.Serialize(
            new
            {
                version = "v2.0",
                data = Enumerable
                    .Range(0, articles)
                    .Select(a => new
                    {
                        title = $"A{a}",
                        paragraphs = Enumerable
                            .Range(0, 2)
                            .Select(p => new
                            {
                                context = $"P{p} of A{a}\n"[..^1],
                                qas = new object[]
                                {
                                    new
                                    {
                                        question = $"What is P{p} of A{a}?",
                                        id = "1",
                                        answers = new[]
                                        {
                                            new { text = $"P{p}", answer_start = 0 },
                                            new { text = "one", answer_start = 0 },
                                            new { text = $"P{p}", answer_start = 0 },
                                        },
                                        is_impossible = false,
                                    },
                                    new
                                    {
                                        question = "Who knows?",
                                        id = "2",
                                        answers = Array.Empty<object>(),
                                        is_impossible = true,
                                    },
                                },
                            }),
                    }),
            }
        );

    private static string Hotpot(int questions) =>
        JsonSerializer.Serialize(
            Enumerable
                .Range(0, questions)
                .Select(q => new
                {
                    _id = q.ToString(),
                    question = $"Q{q}",
                    answer = $"answer {q}",
                    context = new object[]
                    {
                        new object[] { $"Title {q}", new[] { $"First {q}.", $" Second {q}." } },
                        new object[] { "Shared", new[] { "Same.", " Text." } },
                    },
                })
        );
}
