using LookaheadKV.Evaluation.Ruler;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Ruler;

public sealed class EssaysTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("essays").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("One. Two! Three? Four", "One.|Two!|Three?|Four")]
    [InlineData("He said \"no.\" She left (at 3.5 miles.) Then\n\n  rain...", "He said \"no.\"|She left (at 3.5 miles.)|Then rain...")]
    [InlineData("  \t\n", "")]
    [InlineData("no end", "no end")]
    public void A_sentence_ends_at_a_mark_before_white_space(string text, string sentences) =>
        Assert.Equal(sentences.Split('|', StringSplitOptions.RemoveEmptyEntries), Essays.Cut(text));

    [Fact]
    public void Texts_follow_one_another_by_name_and_nothing_but_white_space_is_lost()
    {
        var random = new Random(5);
        var texts = Enumerable.Range(0, 12).ToDictionary(i => $"{i * 7 % 12:00}.txt", _ => Prose(random));
        foreach (var (name, text) in texts)
            File.WriteAllText(Path.Combine(folder, name), text);
        File.WriteAllText(Path.Combine(folder, "notes.md"), "Not an essay.");
        var essays = Essays.Read(folder);
        Assert.Equal(
            Words(string.Join(' ', texts.OrderBy(text => text.Key, StringComparer.Ordinal).Select(text => text.Value))),
            Words(string.Join(' ', essays.Sentences))
        );
        Assert.All(essays.Sentences, sentence => Assert.Equal(string.Join(' ', Words(sentence)), sentence));
    }

    [Fact]
    public void Needles_of_essay_tasks_stand_between_neighbouring_sentences_and_others_are_as_before()
    {
        string[] sentences = [.. Enumerable.Range(0, 40).Select(i => $"Sentence number {i} of the essays is this one.")];
        File.WriteAllText(Path.Combine(folder, "all.txt"), string.Join(' ', sentences));
        var essays = Essays.Read(folder);
        var starts = new HashSet<int>();
        for (var index = 0; index < 30; index++)
        {
            var prompt = RulerTasks.Generate("niah_single_2", 300, 4, index, Count, essays: essays).Prompt.Split('\n')[1];
            int[] numbers = [.. Essays.Cut(prompt).Where(sentences.Contains).Select(sentence => Array.IndexOf(sentences, sentence))];
            Assert.True(numbers.Length > 10);
            Assert.All(numbers.Zip(numbers.Skip(1)), pair => Assert.Equal((pair.First + 1) % sentences.Length, pair.Second)); // on behind the last one
            Assert.Single(Essays.Cut(prompt), sentence => !sentences.Contains(sentence)); // the needle
            starts.Add(numbers[0]);
        }
        Assert.True(starts.Count > 10);
        foreach (var task in (string[])["niah_single_1", "niah_multikey_2", "vt", "fwe"])
            Assert.Equal(
                RulerTasks.Generate(task, 900, 4, 2, Count).Prompt,
                RulerTasks.Generate(task, 900, 4, 2, Count, essays: essays).Prompt
            );
    }

    [Fact]
    public void What_is_no_folder_of_essays_is_refused_in_one_line()
    {
        Fails(Path.Combine(folder, "none"), "no such folder");
        Fails(folder, "holds no *.txt");
        File.WriteAllText(Path.Combine(folder, "blank.txt"), " \n");
        Fails(folder, "are empty");
        File.WriteAllBytes(Path.Combine(folder, "latin.txt"), [0x61, 0xE9, 0x62]);
        Fails(folder, "not UTF-8");

        static void Fails(string path, string part)
        {
            var message = Assert.Throws<InputException>(() => Essays.Read(path)).Message;
            Assert.Contains(part, message);
            Assert.DoesNotContain('\n', message);
        }
    }

    private static int Count(string text) => Words(text).Length;

    private static string[] Words(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    private static string Prose(Random random) =>
        string.Concat(Enumerable.Range(0, random.Next(1, 60)).Select(_ => "abc.!?\" \n\t(x)"[random.Next(13)]).Prepend('w'));
}
