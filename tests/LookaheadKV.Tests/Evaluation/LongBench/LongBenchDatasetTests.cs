using LookaheadKV.Evaluation.LongBench;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.LongBench;

public class LongBenchDatasetTests
{
    // Metric, new tokens and whether chat templates are used, as LongBench publishes them.
    [Theory]
    [InlineData("narrativeqa", "answer-f1", 128, true)]
    [InlineData("qasper", "answer-f1", 128, true)]
    [InlineData("multifieldqa_en", "answer-f1", 64, true)]
    [InlineData("hotpotqa", "answer-f1", 32, true)]
    [InlineData("2wikimqa", "answer-f1", 32, true)]
    [InlineData("musique", "answer-f1", 32, true)]
    [InlineData("gov_report", "rouge-l", 512, true)]
    [InlineData("qmsum", "rouge-l", 512, true)]
    [InlineData("multi_news", "rouge-l", 512, true)]
    [InlineData("trec", "classification", 64, false)]
    [InlineData("triviaqa", "answer-f1", 32, false)]
    [InlineData("samsum", "rouge-l", 128, false)]
    [InlineData("passage_count", "count", 32, true)]
    [InlineData("passage_retrieval_en", "retrieval", 32, true)]
    [InlineData("lcc", "code-similarity", 64, false)]
    [InlineData("repobench-p", "code-similarity", 64, false)]
    public void TheTableIsThatOfLongBench(string name, string metric, int tokens, bool chat)
    {
        var dataset = LongBenchDataset.Of(name);
        Assert.Equal((name, metric, tokens, chat), (dataset.Name, dataset.Metric, dataset.MaxNewTokens, dataset.Chat));
        Assert.Equal(name is "trec" or "triviaqa" or "samsum", dataset.FirstLine);
        Assert.Same(dataset, LongBenchDataset.Of(name + "_e"));
        Assert.Equal(16, LongBenchDataset.Names.Count);
        Assert.Contains(name, LongBenchDataset.Names);
    }

    [Fact]
    public void PromptsHoldTheTextsOnceAndAsTheyAre()
    {
        foreach (var name in LongBenchDataset.Names)
        {
            var prompt = LongBenchDataset.Sample(Record(name, context: "<C {input}>", input: "<I {context}>")).Prompt;
            Assert.Equal(2, prompt.Split("<C {input}>").Length);
            var question = LongBenchDataset.Sample(Record(name, context: "<C {input}>", input: "<I {context}>")).Question;
            Assert.Equal(prompt[(prompt.IndexOf("<C {input}>", StringComparison.Ordinal) + 11)..], question);
            Assert.Equal(name is "gov_report" or "multi_news" or "passage_count" or "lcc" ? 1 : 2, prompt.Split("<I {context}>").Length);
            Assert.Equal(prompt.IndexOf('{', StringComparison.Ordinal), prompt.IndexOf("{input}", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void EveryMetricScoresItsRightAnswerAsPerfect()
    {
        foreach (var name in LongBenchDataset.Names)
        {
            string[] answers = name == "passage_count" ? ["4", "5"] : ["Paragraph 4", "Paragraph 5"];
            var sample = LongBenchDataset.Sample(Record(name, answers: answers));
            Assert.Equal(1, sample.Score(answers[1]));
            Assert.Equal(0, sample.Score("zzz"));
        }
    }

    [Fact]
    public void WhereExamplesCameFirstOnlyTheFirstLineCounts()
    {
        Assert.Equal(1, LongBenchDataset.Sample(Record("triviaqa")).Score("\nCity\nQuestion: and more"));
        Assert.Equal(1, LongBenchDataset.Sample(Record("trec")).Score("City\nQuestion: Food"));
        Assert.Equal(1, LongBenchDataset.Sample(Record("samsum")).Score("City\nDialogue"));
        Assert.Equal(2.0 / 4, LongBenchDataset.Sample(Record("hotpotqa")).Score("City\nand more"), 1e-12);
        Assert.Equal(1.0 / 2, LongBenchDataset.Sample(Record("trec")).Score("City Food"), 1e-12);
    }

    private static LongBenchRecord Record(string dataset, string context = "c", string input = "i", string[]? answers = null) =>
        new(dataset, input, context, answers ?? ["City"], ["City", "Food", "Paragraph 4", "Paragraph 5"], null, "here");
}
