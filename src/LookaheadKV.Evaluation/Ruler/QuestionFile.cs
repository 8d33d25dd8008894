using LookaheadKV.Files;

namespace LookaheadKV.Evaluation.Ruler;

/// <summary>Questions on documents, from a file of SQuAD or HotpotQA: what the tasks <c>qa_1</c> and <c>qa_2</c> ask.</summary>
/// <param name="Path">The file.</param>
/// <param name="Documents">All different documents.</param>
/// <param name="Questions">The questions that have an answer.</param>
public sealed record QuestionFile(string Path, IReadOnlyList<string> Documents, IReadOnlyList<DocumentQuestion> Questions)
{
    /// <summary>
    /// Reads SQuAD's JSON, 1.1 or 2.0: <c>data[].paragraphs[].{context, qas[].{question, answers[].text, is_impossible}}</c>. Questions without an
    /// answer are left out. The other paragraphs of an article are the first distractors of its questions.
    /// </summary>
    /// <exception cref="InputException">The file cannot be read, is not of this form (named by the JSON path), or has no question.</exception>
    public static QuestionFile ReadSquad(string path)
    {
        var (library, questions) = (new Library(), new List<DocumentQuestion>());
        foreach (var article in JsonFile.Read(path).Root.Member("data").Items())
        {
            JsonField[] paragraphs = [.. article.Member("paragraphs").Items()];
            int[] near = [.. paragraphs.Select(paragraph => library.Add(paragraph.Member("context").Text())).Distinct()];
            foreach (var paragraph in paragraphs)
            foreach (var question in paragraph.Member("qas").Items())
                if (question.Find("is_impossible")?.Truth() != true)
                {
                    var gold = library.Add(paragraph.Member("context").Text());
                    string[] answers =
                    [
                        .. question.Member("answers").Items().Select(static answer => answer.Member("text").Text()).Distinct(),
                    ];
                    if (answers.Length > 0)
                        questions.Add(
                            new(question.Member("question").Text(), answers, [gold], [.. near.Where(document => document != gold)])
                        );
                }
        }
        return Checked(path, library, questions);
    }

    /// <summary>
    /// Reads HotpotQA's JSON: <c>[].{question, answer, context: [[title, [sentence, …]], …]}</c>. A document is a title and its sentences; all
    /// documents of a question, those that mislead included, are its own.
    /// </summary>
    /// <exception cref="InputException">The file cannot be read, is not of this form (named by the JSON path), or has no question.</exception>
    public static QuestionFile ReadHotpot(string path)
    {
        var (library, questions) = (new Library(), new List<DocumentQuestion>());
        foreach (var question in JsonFile.Read(path).Root.Items())
        {
            int[] gold = [.. question.Member("context").Items().Select(Document).Select(library.Add).Distinct()];
            questions.Add(new(question.Member("question").Text(), [question.Member("answer").Text()], gold, []));
        }
        return Checked(path, library, questions);

        static string Document(JsonField document)
        {
            JsonField[] parts = [.. document.Items()];
            return parts.Length == 2
                ? $"{parts[0].Text()}\n{string.Concat(parts[1].Items().Select(static sentence => sentence.Text()))}"
                : throw document.Unsupported("[title, [sentence, …]]");
        }
    }

    private static QuestionFile Checked(string path, Library library, List<DocumentQuestion> questions) =>
        questions.Count > 0
            ? new(path, library.Documents, questions)
            : throw new InputException($"{path}: no question in it has an answer.");

    // Gives every different document one number.
    private sealed class Library
    {
        private readonly Dictionary<string, int> _numbers = [];

        public List<string> Documents { get; } = [];

        public int Add(string text)
        {
            text = text.Trim();
            if (_numbers.TryAdd(text, Documents.Count))
                Documents.Add(text);
            return _numbers[text];
        }
    }
}

/// <summary>A question on documents.</summary>
/// <param name="Text">The question.</param>
/// <param name="Answers">Its answers, any of which is right.</param>
/// <param name="Gold">Numbers of the documents that must be in the prompt.</param>
/// <param name="Near">Numbers of the documents that are the first to be added.</param>
public sealed record DocumentQuestion(string Text, IReadOnlyList<string> Answers, IReadOnlyList<int> Gold, IReadOnlyList<int> Near);
