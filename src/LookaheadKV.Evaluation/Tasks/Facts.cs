namespace LookaheadKV.Evaluation.Tasks;

/// <summary>A fictional person; both names together are the key.</summary>
internal readonly record struct Person(string Given, string Family)
{
    public override string ToString() => $"{Given} {Family}";
}

/// <summary>A place or an object: an adjective and a noun.</summary>
internal readonly record struct Thing(string Adjective, string Noun)
{
    public override string ToString() => $"{Adjective} {Noun}";
}

/// <summary>What one sentence of the text states.</summary>
internal abstract record Fact;

/// <summary>A person has a code of three digits.</summary>
internal sealed record CodeFact(Person Who, string Code) : Fact;

/// <summary>A person visited a place.</summary>
internal sealed record VisitFact(Person Who, Thing Place) : Fact;

/// <summary>A person carries an object.</summary>
internal sealed record CarryFact(Person Who, Thing Item) : Fact;

/// <summary>An object opens a room of three digits.</summary>
internal sealed record RoomFact(Thing Item, string Room) : Fact;

/// <summary>A variable is a number of three digits or another variable.</summary>
internal sealed record LetFact(string Name, string Value) : Fact;

/// <summary>A question about a document's facts, with its right answer (which starts with a space).</summary>
internal sealed record Question(string Task, string Text, string Answer)
{
    /// <summary>The answer with the end token.</summary>
    public string Ending => Answer + Templates.End;
}
