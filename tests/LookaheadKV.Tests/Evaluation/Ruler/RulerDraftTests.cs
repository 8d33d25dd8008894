using LookaheadKV.Evaluation.Metrics;
using LookaheadKV.Evaluation.Ruler;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Ruler;

public class RulerDraftTests
{
    [Fact]
    public void AsManyUnitsAreTakenAsFitAndNotOneMore()
    {
        var random = new Random(1);
        for (var trial = 0; trial < 300; trial++)
        {
            // Units of very different lengths, so that the search cannot guess right at once.
            string[] units =
            [
                .. Enumerable.Range(0, 400).Select(_ => new string('x', random.Next(10) == 0 ? random.Next(1, 200) : random.Next(1, 12))),
            ];
            var most = trial % 2 == 0 ? units.Length : int.MaxValue;
            var draft = new RulerDraft(2, most, n => string.Concat(units.Take(n)), "", "::", ["a"], StringMatch.All, 1);
            var length = random.Next(units[0].Length + units[1].Length + 2, units.Sum(unit => unit.Length) - 200);
            var sample = draft.Filled("t", length, static text => text.Length);
            var taken = 2;
            while (string.Concat(units.Take(taken + 1)).Length + 2 <= length)
                taken++;
            Assert.Equal(string.Concat(units.Take(taken)), sample.Prompt);
        }
    }

    [Fact]
    public void LengthsOutOfReachAreRefusedWithTheNearestOneThatWorks()
    {
        var draft = new RulerDraft(1, 5, static n => new string('x', 10 * n), "", ":", ["a"], StringMatch.All, 1);
        Assert.Equal("length 10 cannot hold the task 't': use 11 tokens or more.", Refused(10));
        Assert.Equal("length 52 is more than the task 't' has text for: use 51 tokens or fewer.", Refused(52));
        Assert.Equal(10, Filled(11));
        Assert.Equal(50, Filled(51));
        Assert.Equal("length -3 cannot hold the task 't': use 11 tokens or more.", Refused(-3));
        Assert.Contains("use 51 tokens", Refused(int.MaxValue));

        int Filled(int length) => draft.Filled("t", length, static text => text.Length).Prompt.Length;
        string Refused(int length) => Assert.Throws<InputException>(() => Filled(length)).Message;
    }

    [Fact]
    public void LongPromptsAreCountedAFewTimesOnly()
    {
        var counted = 0;
        RulerTasks.Generate("niah_single_2", 30_000, seed: 1, index: 0, Count);
        Assert.InRange(counted, 2, 14);

        int Count(string text)
        {
            counted++;
            return text.Split(' ').Length;
        }
    }
}
