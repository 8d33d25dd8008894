using System.Text.RegularExpressions;
using LookaheadKV.Evaluation.Ruler;
using LookaheadKV.Evaluation.Samples;
using LookaheadKV.Tests.Evaluation.Tasks;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Ruler;

public class RulerTasksTests
{
    // What reads a prompt and answers it without knowing how it was made, by task.
    private static readonly Dictionary<string, Func<string, string[]>> Readers = new()
    {
        ["niah_single_1"] = Needles,
        ["niah_single_2"] = Needles,
        ["niah_single_3"] = Needles,
        ["niah_multikey_1"] = Needles,
        ["niah_multikey_2"] = Needles,
        ["niah_multikey_3"] = Needles,
        ["niah_multivalue"] = Needles,
        ["niah_multiquery"] = Needles,
        ["vt"] = VariablesWithTheValue,
        ["cwe"] = static prompt => MostFrequent(Regex.Matches(Last(prompt), @"\d+\. (\S+)").Select(match => match.Groups[1].Value), 10),
        ["fwe"] = static prompt => MostFrequent(prompt.Split('\n')[1].Split(' ').Where(word => word != "..."), 3),
    };

    public static TheoryData<string> Tasks => [.. Readers.Keys];

    [Fact]
    public void ThereAreThirteenTasks()
    {
        Assert.Equal(13, RulerTasks.Names.Distinct().Count());
        Assert.Equal(RulerTasks.Names, [.. Readers.Keys, "qa_1", "qa_2"]);
    }

    [Theory]
    [MemberData(nameof(Tasks))]
    public void TheAnswersFollowFromThePromptAndFillTheLength(string task)
    {
        foreach (var (length, index) in from length in Lengths(task) from index in Enumerable.Range(0, 12) select (length, index))
        {
            var sample = RulerTasks.Generate(task, length, seed: 7, index, CountTokens);
            Assert.Equal(Readers[task](sample.Prompt).Order(), sample.Answers.Order());
            Assert.Equal(sample.Answers.Count, sample.Answers.Distinct().Count());
            // One more sentence, needle or list entry (three of a word) has at most this many tokens.
            var unit = task switch
            {
                "niah_multikey_3" => 110,
                "cwe" => 60,
                _ => 30,
            };
            Assert.InRange(CountTokens(sample.Prompt + sample.AnswerPrefix), length - unit, length);
            Assert.EndsWith(sample.Question, sample.Prompt);
            Assert.Contains('?', sample.Question);
            Assert.DoesNotContain(sample.Answers, answer => sample.Question.Contains(answer, StringComparison.Ordinal));
            Assert.Equal(task, sample.Task);
            Assert.Equal(1, sample.Score(string.Join(", ", sample.Answers)));
            Assert.Equal(0, sample.Score("I do not know."));
            Assert.Equal((sample.Answers.Count - 1.0) / sample.Answers.Count, sample.Score(string.Join(' ', sample.Answers.Skip(1))), 1e-9);
        }
    }

    [Theory]
    [InlineData("niah_single_1", 1, 1, @"^\d{7}$")]
    [InlineData("niah_single_2", 1, 1, @"^\d{7}$")]
    [InlineData("niah_single_3", 1, 1, "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")]
    [InlineData("niah_multikey_1", 4, 1, @"^\d{7}$")]
    [InlineData("niah_multivalue", 4, 4, @"^\d{7}$")]
    [InlineData("niah_multiquery", 4, 4, @"^\d{7}$")]
    [InlineData("vt", 5, 5, "^[A-Z]{5}$")]
    [InlineData("cwe", 10, 10, "^[a-z]+-[a-z]+$")]
    [InlineData("fwe", 3, 3, "^[a-z]{6}$")]
    public void TasksHaveTheShapeThatRulerDefines(string task, int facts, int answers, string form)
    {
        for (var index = 0; index < 20; index++)
        {
            var sample = RulerTasks.Generate(task, 2048, seed: 8, index, CountTokens);
            Assert.Equal(answers, sample.Answers.Count);
            Assert.All(sample.Answers, answer => Assert.Matches(form, answer));
            if (task.StartsWith("niah", StringComparison.Ordinal))
                Assert.Equal(facts, Facts(sample.Prompt).Count);
        }
    }

    [Theory]
    [InlineData("niah_multikey_2")]
    [InlineData("niah_multikey_3")]
    public void HaystacksOfNeedlesHaveNoOtherTextAndOneNeedleOfTheKey(string task)
    {
        var prompt = RulerTasks.Generate(task, 4096, seed: 9, index: 1, CountTokens).Prompt;
        var lines = prompt.Split('\n')[1..^1];
        Assert.True(lines.Length > 30);
        Assert.All(lines, line => Assert.Matches(@"^A secret (number|code) of \S+ is: \S+\.$", line));
        Assert.Single(Facts(prompt), fact => fact.Key == Asked(prompt).Single());
        Assert.Equal(lines.Length, Facts(prompt).Select(fact => fact.Value).Distinct().Count());
    }

    [Fact]
    public void WordsOccurAsOftenAsRulerDefines()
    {
        Assert.Equal((6, 1), Counts(RulerTasks.Generate("cwe", 2048, seed: 1, index: 0, CountTokens).Prompt));
        Assert.Equal((30, 3), Counts(RulerTasks.Generate("cwe", 8192, seed: 1, index: 0, CountTokens).Prompt));

        var frequent = RulerTasks.Generate("fwe", 4096, seed: 1, index: 0, CountTokens).Prompt;
        var words = frequent.Split('\n')[1].Split(' ');
        int[] counts = [.. words.CountBy(word => word).Select(pair => pair.Value).OrderDescending()];
        Assert.Equal(counts[0], words.Count(word => word == "..."));
        // Counts fall with the square of the rank.
        for (var rank = 2; rank <= 5; rank++)
            Assert.InRange(counts[rank - 1], counts[0] / (double)(rank * rank) - 1, counts[0] / (double)(rank * rank) + 1);

        static (int, int) Counts(string prompt)
        {
            int[] counts =
            [
                .. Regex
                    .Matches(Last(prompt), @"\d+\. (\S+)")
                    .CountBy(match => match.Groups[1].Value)
                    .Select(pair => pair.Value)
                    .Distinct(),
            ];
            Assert.Equal(2, counts.Length);
            return (counts.Max(), counts.Min());
        }
    }

    [Fact]
    public void TheChainOfVariablesIsReadInItsOrderAndHasNoOther()
    {
        for (var index = 0; index < 30; index++)
        {
            var prompt = RulerTasks.Generate("vt", 1024, seed: 2, index, CountTokens).Prompt;
            var known = new HashSet<string>();
            foreach (Match assignment in Assignments(prompt))
            {
                if (assignment.Groups[2].Success)
                    Assert.Contains(assignment.Groups[2].Value, known);
                known.Add(assignment.Groups[1].Value);
            }
            Assert.Equal(5, known.Count);
        }
    }

    [Fact]
    public void NeedlesLieAnywhere()
    {
        const int Bins = 5;
        var counts = new int[Bins];
        for (var index = 0; index < 250; index++)
        {
            var prompt = RulerTasks.Generate("niah_single_2", 600, seed: 3, index, CountWords).Prompt;
            var text = prompt.Split('\n')[1];
            counts[Math.Min(Bins - 1, text.IndexOf("A secret", StringComparison.Ordinal) * Bins / text.Length)]++;
        }
        // Chi-squared with 4 degrees of freedom exceeds 23.5 once in ten thousand times.
        Assert.InRange(counts.Sum(count => (count - 50.0) * (count - 50.0) / 50), 0, 23.5);
    }

    [Theory]
    [MemberData(nameof(Tasks))]
    public void ASampleIsAFunctionOfItsArguments(string task)
    {
        var sample = Sample(2048, 4, 5);
        Assert.Equal(sample.Prompt, Sample(2048, 4, 5).Prompt);
        Assert.NotEqual(sample.Prompt, Sample(2048, 4, 6).Prompt);
        Assert.NotEqual(sample.Prompt, Sample(2048, 5, 5).Prompt);
        Assert.Equal(sample.Answers, Sample(3000, 4, 5).Answers);
        Assert.Equal(30, Enumerable.Range(0, 30).Select(index => string.Join(' ', Sample(2048, 4, index).Answers)).Distinct().Count());

        EvaluationSample Sample(int length, long seed, long index) => RulerTasks.Generate(task, length, seed, index, CountWords);
    }

    [Theory]
    [MemberData(nameof(Tasks))]
    public void AnyTokenizerCanCount(string task)
    {
        foreach (var count in new Func<string, int>[] { CountWords, static text => text.Length / 3, static text => text.Length })
        {
            const int Length = 9000;
            var sample = RulerTasks.Generate(task, Length, seed: 6, index: 2, count);
            Assert.InRange(count(sample.Prompt + sample.AnswerPrefix), Length - 150, Length);
            Assert.Equal(Readers[task](sample.Prompt).Order(), sample.Answers.Order());
        }
    }

    [Theory]
    [MemberData(nameof(Tasks))]
    public void TooShortALengthIsRefusedAndTheSmallestNamed(string task)
    {
        var error = Assert.Throws<InputException>(() => RulerTasks.Generate(task, 9, seed: 0, index: 0, CountWords));
        Assert.Contains($"length 9 cannot hold the task '{task}'", error.Message);
        var smallest = int.Parse(Regex.Match(error.Message, @"use (\d+) tokens or more").Groups[1].Value);
        Assert.Equal(smallest, CountWords(Joined(RulerTasks.Generate(task, smallest, seed: 0, index: 0, CountWords))));
        // From there on every length asks something that has one answer.
        for (var length = smallest; length < smallest + 60; length++)
        {
            var sample = RulerTasks.Generate(task, length, seed: 0, index: 0, CountWords);
            Assert.Equal(Readers[task](sample.Prompt).Order(), sample.Answers.Order());
        }

        static string Joined(EvaluationSample sample) => sample.Prompt + sample.AnswerPrefix;
    }

    [Fact]
    public void OtherBadArgumentsAreRefused()
    {
        Assert.Contains("'niah'", Refused("niah", 0));
        Assert.All(RulerTasks.Names, name => Assert.Contains(name, Refused("niah", 0)));
        Assert.Contains("sample -1", Refused("vt", -1));
        Assert.Contains("SQuAD", Refused("qa_1", 0));
        Assert.Contains("HotpotQA", Refused("qa_2", 0));

        static string Refused(string task, long index) =>
            Assert.Throws<InputException>(() => RulerTasks.Generate(task, 1000, 0, index, CountWords)).Message;
    }

    [Fact]
    public void NamesAreManyAndNoneIsAPartOfAnother()
    {
        Assert.Equal(RulerWords.Names.Count, RulerWords.Names.Distinct().Count());
        Assert.True(RulerWords.Names.Count > 14_000);
        // A name can only be a part of another if its adjective ends the other's and its noun begins the other's.
        string[] adjectives = [.. RulerWords.Names.Select(name => name.Split('-')[0]).Distinct()];
        string[] nouns = [.. RulerWords.Names.Select(name => name.Split('-')[1]).Distinct()];
        Assert.DoesNotContain(adjectives, a => adjectives.Any(other => other != a && other.EndsWith(a, StringComparison.Ordinal)));
        Assert.DoesNotContain(nouns, n => nouns.Any(other => other != n && other.StartsWith(n, StringComparison.Ordinal)));
    }

    private static int CountTokens(string text) => World.Tokenizer.Encode(text).Length;

    private static int CountWords(string text) => text.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Length;

    private static int[] Lengths(string task) => task == "cwe" ? [1500, 2500, 6000] : [600, 1001, 2048];

    // The prompt after its worked example.
    private static string Last(string prompt) => prompt[(prompt.LastIndexOf("\n\nSome words", StringComparison.Ordinal) + 1)..];

    private static List<(string Key, string Value)> Facts(string prompt) =>
        [
            .. Regex
                .Matches(prompt, @"A secret (?:number|code) of (\S+) is: (\S+)\.")
                .Select(match => (match.Groups[1].Value, match.Groups[2].Value)),
        ];

    private static string[] Asked(string prompt) =>
        Regex
            .Match(prompt.Split('\n')[^1], @"secret (?:number|code)s? of (.+) that the text")
            .Groups[1]
            .Value.Replace(", and ", ", ")
            .Split(", ");

    private static string[] Needles(string prompt) =>
        [.. Asked(prompt).SelectMany(key => Facts(prompt).Where(fact => fact.Key == key)).Select(fact => fact.Value)];

    private static MatchCollection Assignments(string prompt) =>
        Regex.Matches(
            prompt[prompt.LastIndexOf("A chain of", StringComparison.Ordinal)..],
            @"SET ([A-Z]+) = (?:VALUE OF ([A-Z]+)|(\d+))\."
        );

    private static string[] VariablesWithTheValue(string prompt)
    {
        var values = new Dictionary<string, string>();
        foreach (Match assignment in Assignments(prompt))
            values[assignment.Groups[1].Value] = assignment.Groups[2].Success
                ? values[assignment.Groups[2].Value]
                : assignment.Groups[3].Value;
        var asked = Regex.Match(prompt.Split('\n')[^1], @"value (\d+) after").Groups[1].Value;
        return [.. values.Where(pair => pair.Value == asked).Select(pair => pair.Key)];
    }

    // The words that occur most often, provided that the last of them occurs more often than any other.
    private static string[] MostFrequent(IEnumerable<string> words, int count)
    {
        var counted = words.CountBy(word => word).OrderByDescending(pair => pair.Value).ToList();
        Assert.True(counted[count - 1].Value > counted[count].Value, "the most frequent words are not clear");
        return [.. counted.Take(count).Select(pair => pair.Key)];
    }
}
