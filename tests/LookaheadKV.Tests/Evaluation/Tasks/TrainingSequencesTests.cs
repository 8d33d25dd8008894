using LookaheadKV.Evaluation.Tasks;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Tasks;

public class TrainingSequencesTests
{
    private static readonly int Begin = World.Tokenizer.Id(Templates.Begin)!.Value;
    private static readonly int End = World.Tokenizer.Id(Templates.End)!.Value;
    private static readonly int Pad = World.Tokenizer.Id(Templates.Pad)!.Value;

    [Theory]
    [InlineData(96, 500)]
    [InlineData(128, 500)]
    [InlineData(512, 200)]
    [InlineData(2304, 40)]
    public void TheLossIsOnTheRightAnswersAndOnThemAlone(int length, int count)
    {
        for (var index = 0; index < count; index++)
            foreach (var _ in Exchanges(TrainingSequences.Generate(length, seed: 1, index, World.Encoder), length)) { }
    }

    [Theory]
    [InlineData(96, 1.5)]
    [InlineData(128, 2)]
    [InlineData(256, 4)]
    [InlineData(2304, 10)]
    public void ASequenceAsksManyDifferentQuestions(int length, double least)
    {
        var counts = new List<int>();
        for (var index = 0; index < 150; index++)
        {
            string[] questions =
            [
                .. Exchanges(TrainingSequences.Generate(length, seed: 2, index, World.Encoder), length)
                    .Select(exchange => exchange.Question),
            ];
            Assert.Equal(questions.Distinct(), questions);
            counts.Add(questions.Length);
        }
        Assert.InRange(counts.Average(), least, 25);
    }

    [Fact]
    public void TheFirstQuestionHasTheFormOfALoneOneForEveryTask()
    {
        foreach (var task in TaskNames.All)
        {
            var only = new TaskMixture(new Dictionary<string, double> { [task] = 1 });
            var (alone, mixed) = (0, 0);
            for (var index = 0; index < 60; index++)
            {
                var sequence = TrainingSequences.Generate(300, seed: 3, index, World.Encoder, only);
                var text = World.Tokenizer.Decode(sequence.Ids);
                var (document, question) = Solver.Parse(text[..(text.IndexOf("Answer:", StringComparison.Ordinal) + 7)]);
                Assert.StartsWith(FirstWords(task), question);
                Assert.Equal(task == TaskNames.QuestionFirst, text.StartsWith(Templates.Begin + "Question: What is "));
                bool[] kinds = [document.Codes.Count > 0, document.Visits.Count > 0, document.Carries.Count > 0, document.Lets.Count > 0];
                if (kinds.Count(there => there) > 1)
                    mixed++;
                else
                    alone++;
                if (task == TaskNames.Single)
                    Assert.Single(document.Codes);
            }
            Assert.True(alone >= 10 && mixed >= 10, $"{task}: {alone} documents of its facts alone, {mixed} with others");
        }
    }

    [Fact]
    public void AllTasksComeUpAndTheWeightsSayHowOften()
    {
        var weights = TaskNames.All.ToDictionary(task => task, task => task == TaskNames.ListAll ? 5.0 : 1);
        var counts = TaskNames.All.Select(FirstWords).Distinct().ToDictionary(words => words, _ => 0);
        const int Count = 2000;
        for (var index = 0; index < Count; index++)
        {
            var question = Exchanges(TrainingSequences.Generate(128, seed: 4, index, World.Encoder, new TaskMixture(weights)), 128)
                .First()
                .Question;
            counts[counts.Keys.Single(question.StartsWith)]++;
        }
        Assert.InRange(counts[FirstWords(TaskNames.ListAll)] / (double)Count, 5 / 12.0 - 0.04, 5 / 12.0 + 0.04);
        // "What is" opens the questions of both single and multikey.
        Assert.InRange(counts[FirstWords(TaskNames.Single)] / (double)Count, 2 / 12.0 - 0.03, 2 / 12.0 + 0.03);
        foreach (
            var task in new[] { TaskNames.MultiValue, TaskNames.MultiQuery, TaskNames.QuestionFirst, TaskNames.TwoHop, TaskNames.Variables }
        )
            Assert.InRange(counts[FirstWords(task)] / (double)Count, 1 / 12.0 - 0.025, 1 / 12.0 + 0.025);
    }

    [Fact]
    public void LongerSequencesStateMoreFacts()
    {
        var shorter = Facts(96);
        var longer = Facts(2304);
        Assert.InRange(shorter.Average(), 2, 5);
        Assert.True(
            longer.Max() >= 24 && longer.Average() > 3 * shorter.Average(),
            $"{shorter.Average()} {longer.Average()} {longer.Max()}"
        );

        static List<int> Facts(int length) =>
            [
                .. Enumerable
                    .Range(0, 100)
                    .Select(index =>
                    {
                        var text = World.Tokenizer.Decode(TrainingSequences.Generate(length, seed: 5, index, World.Encoder).Ids);
                        return Solver
                            .Parse(text[..(text.IndexOf("Answer:", StringComparison.Ordinal) + 7)])
                            .Document.Facts.Count(fact => fact);
                    }),
            ];
    }

    [Fact]
    public void ASequenceIsAPureFunctionOfItsArguments()
    {
        var sequences = new TrainingSequence[20];
        Parallel.For(0, sequences.Length, i => sequences[i] = TrainingSequences.Generate(200, seed: 6, index: i, World.Encoder));
        for (var i = 0; i < sequences.Length; i++)
        {
            var again = TrainingSequences.Generate(200, seed: 6, index: i, new PieceEncoder(World.Tokenizer.Encode));
            Assert.Equal(again.Ids, sequences[i].Ids);
            Assert.Equal(again.Loss, sequences[i].Loss);
        }
        Assert.Equal(sequences.Length, sequences.Select(sequence => string.Join(' ', sequence.Ids)).Distinct().Count());
    }

    [Fact]
    public void BadMixturesAndLengthsAreRefused()
    {
        Assert.Contains("'twohops'", Assert.Throws<InputException>(() => Mixture(("twohops", 1))).Message);
        Assert.Contains("-1", Assert.Throws<InputException>(() => Mixture((TaskNames.TwoHop, -1), (TaskNames.Single, 1))).Message);
        Assert.Throws<InputException>(() => Mixture((TaskNames.TwoHop, double.NaN)));
        Assert.Throws<InputException>(() => Mixture((TaskNames.TwoHop, 0)));
        Assert.Throws<InputException>(() => Mixture());
        Assert.Contains("length 20", Assert.Throws<InputException>(() => TrainingSequences.Generate(20, 0, 0, World.Encoder)).Message);

        static TaskMixture Mixture(params (string Task, double Weight)[] weights) =>
            new(weights.ToDictionary(pair => pair.Task, pair => pair.Weight));
    }

    private static string FirstWords(string task) =>
        task switch
        {
            TaskNames.MultiValue => "Which places",
            TaskNames.MultiQuery => "What are",
            TaskNames.QuestionFirst => "Answer the first",
            TaskNames.TwoHop => "Which room",
            TaskNames.Variables => "Trace",
            TaskNames.ListAll => "List every",
            _ => "What is",
        };

    /// <summary>The questions and answers of a sequence, each answer checked against the document and the mask.</summary>
    private static List<(string Question, string Answer)> Exchanges(TrainingSequence sequence, int length)
    {
        Assert.Equal((length, length), (sequence.Ids.Length, sequence.Loss.Length));
        Assert.Equal(Begin, sequence.Ids[0]);
        var used = Array.LastIndexOf(sequence.Ids, End) + 1;
        Assert.All(sequence.Ids[used..], id => Assert.Equal(Pad, id));
        Assert.All(sequence.Loss[used..], Assert.False);
        Assert.InRange(length - used, 0, 16);

        var exchanges = new List<(string, string)>();
        Solver? document = null;
        for (var at = 0; at < used; )
        {
            var answerAt = Array.IndexOf(sequence.Loss, true, at);
            var next = Array.IndexOf(sequence.Ids, End, at) + 1;
            Assert.InRange(answerAt, at, next - 1);
            Assert.All(sequence.Loss[answerAt..next], Assert.True);
            var context = World.Tokenizer.Decode(sequence.Ids[at..answerAt]);
            string question;
            if (document is null)
                (document, question) = Solver.Parse(context);
            else
            {
                Assert.StartsWith("\nQuestion: ", context);
                Assert.EndsWith("\nAnswer:", context);
                question = context[11..^8];
            }
            var answer = World.Tokenizer.Decode(sequence.Ids[answerAt..(next - 1)]);
            Assert.Equal(document.Answer(question), answer);
            Assert.InRange(next - answerAt, 2, 64);
            exchanges.Add((question, answer));
            at = next;
        }
        Assert.Equal(World.Tokenizer.Encode(World.Tokenizer.Decode(sequence.Ids)), sequence.Ids);
        return exchanges;
    }
}
