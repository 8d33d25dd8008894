using System.Text.RegularExpressions;
using LookaheadKV.Evaluation.Tasks;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Tasks;

public class TaskGeneratorsTests
{
    public static TheoryData<string> Tasks => [.. TaskNames.All];

    [Theory]
    [MemberData(nameof(Tasks))]
    public void EveryAnswerFollowsFromThePrompt(string task)
    {
        foreach (var (length, index) in Grid([96, 128, 200, 512, 2048], 100))
        {
            var sample = TaskGenerators.Generate(task, length, seed: 3, index, World.Encoder);
            var (document, question) = Solver.Parse(sample.Prompt);
            Assert.Equal(document.Answer(question), sample.Answer);
        }
    }

    [Theory]
    [MemberData(nameof(Tasks))]
    public void TheTokensAreThoseOfTheWholeTextAndKeepToTheLength(string task)
    {
        var end = World.Tokenizer.Id(Templates.End);
        foreach (var (length, index) in Grid([96, 97, 128, 333, 1024, 2048], 12))
        {
            var sample = TaskGenerators.Generate(task, length, seed: 4, index, World.Encoder);
            Assert.Equal(World.Tokenizer.Encode(sample.Prompt), sample.PromptIds);
            Assert.Equal(World.Tokenizer.Encode(sample.Answer), sample.AnswerIds[..^1]);
            Assert.Equal(end, sample.AnswerIds[^1]);
            Assert.InRange(sample.PromptIds.Length, length - 16, length);
            Assert.InRange(sample.AnswerIds.Length, 2, 64);
        }
    }

    [Theory]
    [MemberData(nameof(Tasks))]
    public void PromptAndAnswerTogetherKeepToTheLengthWhereAsked(string task)
    {
        foreach (var (length, index) in Grid([80, 128, 512], 30))
        {
            var sample = TaskGenerators.GenerateWithAnswer(task, length, seed: 4, index, World.Encoder);
            Assert.InRange(sample.PromptIds.Length + sample.AnswerIds.Length, length - 16, length);
            var (document, question) = Solver.Parse(sample.Prompt);
            Assert.Equal(document.Answer(question), sample.Answer);
        }
    }

    [Fact]
    public void LongDocumentsHoldWhatTheTasksPromise()
    {
        foreach (var (task, index) in TaskNames.All.SelectMany(task => Enumerable.Range(0, 60).Select(index => (task, index))))
        {
            var sample = TaskGenerators.Generate(task, 2048, seed: 5, index, World.Encoder);
            var (document, _) = Solver.Parse(sample.Prompt);
            var listed = sample.Answer.Split(", ").Length;
            var (codes, visits, carries, rooms, lets) = (
                document.Codes.Count,
                document.Visits.Count,
                document.Carries.Count,
                document.Rooms.Count,
                document.Lets.Count
            );
            switch (task)
            {
                case TaskNames.Single:
                    Assert.Equal((1, 1), (codes, listed));
                    break;
                case TaskNames.MultiKey or TaskNames.QuestionFirst:
                    Assert.InRange(codes, 8, 24);
                    Assert.Equal(1, listed);
                    AssertHalfOfTheKeyIsNotEnough(sample, document);
                    break;
                case TaskNames.MultiValue:
                    Assert.InRange(listed, 2, 4);
                    Assert.InRange(document.Visits.Select(visit => visit.Who).Distinct().Count(), 4, 10);
                    break;
                case TaskNames.MultiQuery:
                    Assert.InRange(codes, 8, 24);
                    Assert.Equal(4, listed);
                    break;
                case TaskNames.TwoHop:
                    Assert.InRange(carries, 3, 8);
                    Assert.Equal(carries, rooms);
                    break;
                case TaskNames.Variables:
                    Assert.InRange(listed, 2, 4);
                    Assert.InRange(document.Lets.Count(let => char.IsDigit(let.Value[0])), 3, 6);
                    break;
                case TaskNames.ListAll:
                    Assert.InRange(codes, 4, 8);
                    Assert.Equal(codes, listed);
                    break;
            }
            Assert.Equal(codes + visits + carries + rooms + lets, document.Facts.Count(fact => fact));
            Assert.Equal(
                task switch
                {
                    TaskNames.MultiValue => visits,
                    TaskNames.TwoHop => carries + rooms,
                    TaskNames.Variables => lets,
                    _ => codes,
                },
                document.Facts.Count(fact => fact)
            );
        }
    }

    [Fact]
    public void ValuesNeverRepeatInADocument()
    {
        foreach (var (task, index) in TaskNames.All.SelectMany(task => Enumerable.Range(0, 30).Select(index => (task, index))))
        {
            var text = TaskGenerators.Generate(task, 1024, seed: 6, index, World.Encoder).Prompt;
            string[] numbers = [.. Regex.Matches(text, @"\d\d\d").Select(match => match.Value)];
            Assert.Equal(numbers.Distinct(), numbers);
        }
    }

    [Theory]
    [InlineData(TaskNames.Single)]
    [InlineData(TaskNames.MultiQuery)]
    [InlineData(TaskNames.TwoHop)]
    [InlineData(TaskNames.ListAll)]
    public void FactsStandAnywhereInTheText(string task) =>
        AssertUniform(
            Enumerable
                .Range(0, 400)
                .Select(index => Solver.Parse(TaskGenerators.Generate(task, 1024, seed: 7, index, World.Encoder).Prompt).Document.Facts)
                .SelectMany(facts => facts.Index().Where(fact => fact.Item).Select(fact => (fact.Index, facts.Count)))
        );

    [Theory]
    [InlineData(TaskNames.MultiKey)]
    [InlineData(TaskNames.QuestionFirst)]
    public void TheFactThatIsAskedForStandsAnywhereInTheText(string task) =>
        AssertUniform(
            Enumerable
                .Range(0, 2000)
                .Select(index =>
                {
                    var sample = TaskGenerators.Generate(task, 512, seed: 7, index, World.Encoder);
                    var sentences = Solver.Parse(sample.Prompt).Document.Sentences;
                    return (Array.FindIndex(sentences, sentence => sentence.EndsWith("code is" + sample.Answer)), sentences.Length);
                })
        );

    [Theory]
    [MemberData(nameof(Tasks))]
    public void ASampleDependsOnItsArgumentsAndOnNothingElse(string task)
    {
        var fresh = new PieceEncoder(World.Tokenizer.Encode);
        var alone = TaskGenerators.Generate(task, 300, seed: 8, index: 5, fresh);
        var among = new TaskSample[10];
        Parallel.For(0, among.Length, i => among[i] = TaskGenerators.Generate(task, 300, seed: 8, index: i, World.Encoder));
        Assert.Equal(alone.Prompt, among[5].Prompt);
        Assert.Equal(alone.Answer, among[5].Answer);
        Assert.Equal(among.Length, among.Select(sample => sample.Prompt).Distinct().Count());
        Assert.NotEqual(alone.Prompt, TaskGenerators.Generate(task, 300, seed: 9, index: 5, fresh).Prompt);
        Assert.NotEqual(alone.Prompt, TaskGenerators.Generate(task, 300, seed: 8, index: 5, fresh, Split.Training).Prompt);
    }

    [Fact]
    public void TrainingAndEvaluationShareNoText()
    {
        var evaluation = new HashSet<string>();
        foreach (var (task, index) in TaskNames.All.SelectMany(task => Enumerable.Range(0, 200).Select(index => (task, index))))
            evaluation.Add(TaskGenerators.Generate(task, 96, seed: 1, index, World.Encoder).Prompt);
        Assert.Equal(200 * TaskNames.All.Count, evaluation.Count);
        foreach (var (task, index) in TaskNames.All.SelectMany(task => Enumerable.Range(0, 200).Select(index => (task, index))))
            Assert.DoesNotContain(TaskGenerators.Generate(task, 96, seed: 1, index, World.Encoder, Split.Training).Prompt, evaluation);
        for (var index = 0; index < 500; index++)
        {
            var text = World.Tokenizer.Decode(TrainingSequences.Generate(140, seed: 1, index, World.Encoder).Ids);
            Assert.DoesNotContain(text[..(text.IndexOf("Answer:", StringComparison.Ordinal) + 7)], evaluation);
        }
    }

    [Theory]
    [MemberData(nameof(Tasks))]
    public void TooShortALengthIsRefusedAndTheSmallestNamed(string task)
    {
        var smallest = Refused(5);
        for (var index = 0; index < 200; index++)
        {
            Assert.InRange(TaskGenerators.Generate(task, smallest, seed: 2, index, World.Encoder).PromptIds.Length, 1, smallest);
            Assert.Equal(smallest, Refused(smallest - 1, index));
        }

        int Refused(int length, int index = 0)
        {
            var error = Assert.Throws<InputException>(() => TaskGenerators.Generate(task, length, seed: 2, index, World.Encoder));
            Assert.Contains($"length {length}", error.Message);
            return int.Parse(Regex.Match(error.Message, @"use (\d+) tokens").Groups[1].Value);
        }
    }

    [Fact]
    public void AnUnknownTaskIsRefusedWithTheKnownOnes()
    {
        var error = Assert.Throws<InputException>(() => TaskGenerators.Generate("multi-key", 100, 0, 0, World.Encoder));
        Assert.Contains("'multi-key'", error.Message);
        Assert.All(TaskNames.All, task => Assert.Contains(task, error.Message));
    }

    private static void AssertUniform(IEnumerable<(int Index, int Count)> places)
    {
        const int Bins = 10;
        var counts = new int[Bins];
        foreach (var (index, count) in places)
            counts[index * Bins / count]++;
        var expected = (double)counts.Sum() / Bins;
        // Chi-squared with 9 degrees of freedom exceeds 33.7 once in ten thousand times.
        Assert.InRange(counts.Sum(count => (count - expected) * (count - expected) / expected), 0, 33.7);
    }

    private static void AssertHalfOfTheKeyIsNotEnough(TaskSample sample, Solver document)
    {
        var asked = document.Codes.Single(code => " " + code.Code == sample.Answer).Who.Split(' ');
        Assert.Contains(document.Codes.Select(code => code.Who.Split(' ')), other => (other[0] == asked[0]) != (other[1] == asked[1]));
    }

    private static IEnumerable<(int Length, int Index)> Grid(int[] lengths, int count) =>
        lengths.SelectMany(length => Enumerable.Range(0, count).Select(index => (length, index)));
}
